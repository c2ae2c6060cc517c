// Draws the figure of a Plot. plotly.js (5 MB) is no part of this file, which every saved notebook holds: the page gets
// it from the kernel, once.

const CONFIG = { responsive: true, displaylogo: false };
const PATIENCE = 2000; // ms until somebody else asks the kernel, and until the reader is told what is missing
const HEIGHT = 450; // pixels, where the figure says nothing
const TYPES = { csv: "text/csv", html: "text/html", json: "application/json" };

// A promise of Plotly that the whole page shares, with what its makers need to know.
function library() {
  if (!globalThis.__reslabPlotly) {
    let resolve;
    const promise = new Promise((done) => (resolve = done));
    globalThis.__reslabPlotly = Object.assign(promise, { resolve, asked: -Infinity, loading: false });
  }
  return globalThis.__reslabPlotly;
}

// Runs the bundle from the kernel. In a function of its own where define, module, exports and require are undefined, so
// that requirejs or a bundler's leftovers in the page cannot catch it; a Plotly that the page had before stays in place.
function load(source) {
  const page = library();
  if (page.loading) return;
  page.loading = true;
  const head =
    "globalThis.__reslabPlotly.resolve((function (define, module, exports, require) { var __before = window.Plotly;\n";
  const foot = "\n;var __loaded = window.Plotly; window.Plotly = __before; return __loaded; }).call(window));";
  const url = URL.createObjectURL(new Blob([head, source, foot], { type: "text/javascript" }));
  const script = Object.assign(document.createElement("script"), { src: url });
  script.onerror = () => (page.loading = false);
  script.onload = () => URL.revokeObjectURL(url);
  document.head.append(script);
}

function saveText({ name, format, content }) {
  const type = `${TYPES[format] ?? "text/plain"};charset=utf-8`;
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = Object.assign(document.createElement("a"), { href: url, download: `${name}.${format}` });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

let drawsSpace; // whether this browser has WebGL, which figures in space need
function webgl() {
  if (drawsSpace === undefined) {
    const context = document.createElement("canvas").getContext("webgl");
    drawsSpace = context !== null;
    context?.getExtension("WEBGL_lose_context")?.loseContext(); // a page may have sixteen
  }
  return drawsSpace;
}

function view(model, el, mayAsk) {
  const card = document.createElement("div");
  const note = document.createElement("p");
  const box = document.createElement("div");
  card.className = "reslab-plot";
  note.className = "reslab-plot-note";
  note.hidden = true;
  note.textContent = "Run the cell to see the figure. If it is running, the figure comes when the kernel has time.";
  const flat = Object.assign(document.createElement("p"), { className: note.className }); // in the page when needed
  flat.textContent = "This figure is in three dimensions, which this browser cannot draw: WebGL is off.";
  card.append(note, box);
  el.append(card);

  let Plotly = null;
  let stale = true; // box does not show the model's figure yet
  let held = false; // the reader is dragging in the figure: a redraw would take the zoom out of their hand
  let gone = false;
  let camera = null; // of the scenes in layout.meta.linked, which turn as one, from when the reader has turned one

  function turn(change) {
    const linked = box.layout.meta?.linked ?? [];
    const turned = linked.find((scene) => Object.keys(change).some((key) => key.startsWith(`${scene}.camera`)));
    if (!turned) return;
    const seen = JSON.stringify(change[`${turned}.camera`] ?? box.layout[turned].camera);
    if (seen === JSON.stringify(camera)) return; // what turning the others tells
    camera = JSON.parse(seen);
    const others = linked.filter((scene) => scene !== turned);
    Plotly.relayout(box, Object.fromEntries(others.map((scene) => [`${scene}.camera`, JSON.parse(seen)])));
  }

  function draw() {
    stale = true;
    const { data, layout } = structuredClone(model.get("figure")); // Plotly writes into what it draws
    card.hidden = !data;
    box.style.height = `${layout?.height ?? HEIGHT}px`; // also before Plotly is there: nothing jumps when it comes
    if (gone || !Plotly || !data) return;
    const space = Object.keys(layout).some((key) => /^scene\d*$/.test(key));
    if (space && model.get("webgl") && !webgl()) {
      model.set("webgl", false);
      model.save_changes();
    }
    box.hidden = space && !webgl();
    if (box.hidden) return box.before(flat);
    flat.remove();
    if (held || !box.clientWidth) return; // hidden, in a tab or not in the page yet: drawn when it gets a width
    stale = false;
    if (camera) for (const scene of layout.meta?.linked ?? []) layout[scene].camera = structuredClone(camera);
    const first = !box.on; // plotly gives it
    Plotly.react(box, data, { ...layout, width: undefined, autosize: true }, CONFIG);
    if (first) for (const event of ["plotly_relayouting", "plotly_relayout"]) box.on(event, turn);
  }
  const observer = new ResizeObserver(() => {
    if (stale || held) draw();
    else if (box.clientWidth) Plotly.Plots.resize(box);
  });
  const hold = () => (held = true);
  const release = () => {
    if (!held) return;
    // After plotly's own handlers, which set the zoom.
    setTimeout(() => {
      held = false;
      if (stale) draw();
    }, 50);
  };
  observer.observe(box);
  box.addEventListener("pointerdown", hold);
  for (const event of ["pointerup", "pointercancel"]) window.addEventListener(event, release, true);
  model.on("change:figure", draw);

  const started = Date.now();
  function wait() {
    const page = library();
    if (page.loading) return;
    note.hidden = Date.now() - started < PATIENCE;
    box.hidden = !note.hidden;
    if (Date.now() - page.asked >= PATIENCE && mayAsk()) {
      page.asked = Date.now();
      model.send({ need: "plotly" });
    }
  }
  const timer = setInterval(wait, 250);
  draw();
  wait();
  library().then((loaded) => {
    Plotly = loaded;
    clearInterval(timer);
    note.remove();
    box.hidden = false;
    draw();
  });

  return {
    card,
    async save({ name, format }) {
      const loaded = await library();
      const size = { width: box.clientWidth || 900, height: parseFloat(box.style.height) || HEIGHT };
      const figure = stale ? structuredClone(model.get("figure")) : box;
      await loaded.downloadImage(figure, { format, filename: name, scale: 2, ...size });
    },
    remove() {
      gone = true;
      clearInterval(timer);
      observer.disconnect();
      model.off("change:figure", draw);
      for (const event of ["pointerup", "pointercancel"]) window.removeEventListener(event, release, true);
      Plotly?.purge(box);
    },
  };
}

export default () => {
  const views = new Set();
  let asked = false; // a model asks once: a busy kernel answers late, but does answer
  const mayAsk = () => !asked && (asked = true);
  return {
    initialize({ model }) {
      const receive = (content, buffers) => {
        if (content.kind === "plotly") load(buffers[0]);
        if (content.kind !== "download") return;
        // One of the views acts; JupyterLab takes those out of the page that are scrolled out of sight.
        const first = [...views].find((each) => each.card.isConnected) ?? [...views][0];
        if (first) content.content === null ? first.save(content) : saveText(content);
      };
      model.on("msg:custom", receive);
      return () => model.off("msg:custom", receive);
    },
    render({ model, el }) {
      const added = view(model, el, mayAsk);
      views.add(added);
      return () => {
        views.delete(added);
        added.remove();
      };
    },
  };
};
