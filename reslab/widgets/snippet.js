// A text with a button that copies it.

function make(tag, className, text = "") {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

async function copy(text, beside) {
  // navigator.clipboard is missing on pages over plain http, other than localhost.
  if (navigator.clipboard && window.isSecureContext) {
    try {
      return await navigator.clipboard.writeText(text);
    } catch {
      // Not permitted here, in an iframe for instance: the old way.
    }
  }
  const area = make("textarea", "reslab-snippet-area");
  area.value = text;
  beside.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("the browser does not let this page copy");
}

function render({ model, el }) {
  const root = make("div", "reslab-snippet");
  const bar = make("div", "reslab-snippet-bar");
  const label = make("span", "reslab-snippet-label");
  const button = make("button", "reslab-snippet-copy", "Copy");
  const pre = make("pre", "reslab-snippet-text");
  button.type = "button";
  button.setAttribute("aria-live", "polite");
  pre.tabIndex = 0; // long lines scroll, by keyboard too
  bar.append(label, button);
  root.append(bar, pre);
  el.append(root);

  let timer;
  async function press() {
    let said = "Copied";
    try {
      await copy(model.get("text"), root);
    } catch {
      getSelection().selectAllChildren(pre);
      said = "Press Ctrl+C";
    }
    button.textContent = said;
    button.focus({ preventScroll: true });
    clearTimeout(timer);
    timer = setTimeout(() => (button.textContent = "Copy"), 1500);
  }
  function update() {
    pre.textContent = model.get("text");
    label.textContent = model.get("language");
    pre.setAttribute("aria-label", model.get("language") || "text");
  }
  button.addEventListener("click", press);
  model.on("change:text change:language", update);
  update();
  return () => {
    clearTimeout(timer);
    model.off("change:text change:language", update);
  };
}

export default { render };
