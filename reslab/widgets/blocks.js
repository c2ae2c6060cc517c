// The blocks of a net as buttons, and what its error has become.

function make(tag, className = "", text = "") {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

const stageOf = (name) => name.slice(0, name.indexOf("."));
const numberOf = (name) => name.slice(name.lastIndexOf("block") + 5);
const same = (a, b) => a.length === b.length && a.every((name, i) => name === b[i]);
const percent = (error) => `${error.toFixed(1)} %`;

function render({ model, el }) {
  const root = make("div", "reslab-lesion");
  const head = make("div", "reslab-lesion-head");
  const dot = make("span", "reslab-dot");
  const name = make("b");
  const now = make("output", "reslab-lesion-now");
  const told = make("span", "reslab-lesion-told");
  const gauge = make("div", "reslab-lesion-gauge");
  const fill = make("div", "reslab-lesion-fill");
  const marks = ["whole", "chance"].map((what) => make("div", `reslab-lesion-mark reslab-lesion-${what}`));
  const row = make("div", "reslab-lesion-row");
  // JupyterLab would take Enter and the arrows for its own commands.
  root.dataset.lmSuppressShortcuts = "true";
  row.setAttribute("role", "toolbar");
  now.setAttribute("aria-live", "polite");
  head.append(dot, name, now, told);
  gauge.append(fill, ...marks);
  root.append(head, gauge, row);
  el.append(root);

  const buttons = new Map();

  function press(block) {
    const deleted = new Set(model.get("deleted"));
    if (!deleted.delete(block)) deleted.add(block);
    model.set("deleted", model.get("blocks").filter((each) => deleted.has(each)));
    model.save_changes();
  }

  function build() {
    const { whole, chance } = model.get("facts");
    root.style.setProperty("--reslab-net", model.get("colour"));
    root.style.setProperty("--reslab-on", model.get("ink"));
    name.textContent = model.get("name");
    row.setAttribute("aria-label", `blocks of ${model.get("name")}`);
    for (const [mark, error, said] of [
      [marks[0], whole, "whole net"],
      [marks[1], chance, "guessing"],
    ]) {
      mark.style.left = `${error}%`;
      mark.title = `${said}: ${percent(error)}`;
      mark.replaceChildren(make("span", "", said));
    }
    marks[0].firstChild.hidden = Math.abs(whole - chance) < 16; // else the two would run into each other
    buttons.clear();
    for (const block of model.get("blocks")) {
      const button = Object.assign(make("button", "reslab-lesion-block", numberOf(block)), { type: "button" });
      button.dataset.block = block;
      button.classList.toggle("reslab-lesion-entry", model.get("reshaping").includes(block));
      button.addEventListener("click", () => press(block));
      buttons.set(block, button);
    }
    arrange();
  }

  // Swaps are within a stage, so that each stage has its own blocks in any order.
  function arrange() {
    const focused = document.activeElement;
    row.replaceChildren();
    let stage = null;
    for (const block of model.get("order")) {
      if (stage?.dataset.stage !== stageOf(block)) {
        stage = make("div", "reslab-lesion-stage");
        stage.dataset.stage = stageOf(block);
        stage.append(make("div", "reslab-lesion-blocks"), make("span", "", stageOf(block)));
        row.append(stage);
      }
      stage.firstChild.append(buttons.get(block));
    }
    if (focused && row.contains(focused)) focused.focus({ preventScroll: true });
    paint();
  }

  function paint() {
    const deleted = model.get("deleted");
    const order = model.get("order");
    const blocks = model.get("blocks");
    const answer = model.get("answer");
    const { whole, images } = model.get("facts");
    blocks.forEach((block, place) => {
      const button = buttons.get(block);
      const gone = deleted.includes(block);
      const facts = [gone && "deleted", order[place] !== block && "not in its place"];
      facts.push(button.classList.contains("reslab-lesion-entry") && "changes the shape");
      button.setAttribute("aria-pressed", gone);
      button.title = [block, ...facts.filter(Boolean)].join(", ");
      button.setAttribute("aria-label", button.title);
      button.classList.toggle("reslab-lesion-gone", gone);
      button.classList.toggle("reslab-lesion-moved", order[place] !== block);
    });
    const waiting = !same(answer.deleted ?? [], deleted) || !same(answer.order ?? [], order);
    root.classList.toggle("reslab-lesion-waiting", waiting);
    root.setAttribute("aria-busy", waiting);
    if (waiting) return;
    now.textContent = percent(answer.error);
    fill.style.width = `${answer.error}%`;
    const moved = blocks.filter((block, place) => order[place] !== block).length;
    const lost = deleted.length ? `${deleted.length} of ${blocks.length} blocks deleted` : "nothing deleted";
    const swapped = moved ? `, ${moved} not in their place` : "";
    const before = deleted.length || moved ? ` · whole net: ${percent(whole)}` : "";
    told.textContent = `error on ${images.toLocaleString("en-US")} images · ${lost}${swapped}${before}`;
  }

  row.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const all = [...row.querySelectorAll("button")];
    all[all.indexOf(document.activeElement) + step]?.focus();
    event.preventDefault();
  });
  const listeners = {
    "change:blocks change:facts change:name change:colour change:reshaping": build,
    "change:order": arrange,
    "change:deleted change:answer": paint,
  };
  for (const [event, act] of Object.entries(listeners)) model.on(event, act);
  build();
  model.set("views", model.get("views") + 1);
  model.save_changes();
  return () => Object.entries(listeners).forEach(([event, act]) => model.off(event, act));
}

export default { render };
