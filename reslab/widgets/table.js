// The table of runs. Rows are built once and changed in place, so that a live update keeps scroll position and focus.

const MOST = 500; // rows in the page
const DASH = "–";
const collator = new Intl.Collator("en", { numeric: true });

function make(tag, className = "", text = "") {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

function format(value, { kind, digits }) {
  if (value === null || value === undefined) return DASH;
  if (kind === "progress") return `${Math.floor(100 * value + 1e-9)} %`; // 100 % is what is done, not what rounds to it
  if (kind !== "number") return String(value);
  const places = { minimumFractionDigits: digits ?? 0, maximumFractionDigits: digits ?? 6 };
  return Number(value).toLocaleString("en-US", places);
}

function render({ model, el }) {
  const root = make("div", "reslab-table");
  const bar = make("div", "reslab-table-bar");
  const filter = make("input", "reslab-table-filter");
  const count = make("span", "reslab-table-count");
  const scroll = make("div", "reslab-table-scroll");
  const table = make("table");
  const head = table.createTHead();
  const body = table.createTBody();
  const all = make("input", "reslab-table-check");
  const nothing = make("p", "reslab-table-nothing");
  Object.assign(filter, { type: "search", placeholder: "Filter runs, e.g. plain 56", spellcheck: false });
  filter.setAttribute("aria-label", "Filter runs: all words must occur in a row");
  count.setAttribute("role", "status");
  Object.assign(all, { type: "checkbox", title: "Draw all of these, or none" });
  all.setAttribute("aria-label", "Draw the curves of all listed runs");
  bar.append(filter, count);
  scroll.append(table, nothing);
  root.append(bar, scroll);
  el.append(root);

  const entries = new Map(); // id -> {row, index, texts, words, tr and what is in it}
  let matching = []; // entries that the filter lets through, sorted
  let sort = { key: null, sign: 1 };

  function set(name, ids) {
    model.set(name, ids);
    model.save_changes();
  }
  function tick(ids, on) {
    const ticked = new Set(model.get("shown"));
    for (const id of ids) on ? ticked.add(id) : ticked.delete(id);
    set("shown", model.get("rows").map((row) => row.id).filter((id) => ticked.has(id)));
  }
  function toggle(id) {
    const pair = model.get("pair");
    set("pair", pair.includes(id) ? pair.filter((each) => each !== id) : [...pair, id].slice(-2));
  }
  function turn(key) {
    if (sort.key !== key) sort = { key, sign: 1 };
    else sort = sort.sign === 1 ? { key, sign: -1 } : { key: null, sign: 1 };
    arrange(0);
  }

  function buildHead() {
    const tr = make("tr");
    const first = make("th", "reslab-table-pick");
    first.append(all);
    tr.append(first, make("th", "reslab-table-dot"), make("th", "reslab-table-pick"));
    for (const { key, label, kind, unit } of model.get("columns")) {
      const th = make("th", `reslab-${kind}`);
      const button = Object.assign(make("button", "reslab-table-sort"), { type: "button" });
      button.append(make("span", "", unit ? `${label} (${unit})` : label), make("span", "reslab-table-arrow"));
      button.addEventListener("click", () => turn(key));
      th.scope = "col";
      th.dataset.key = key;
      th.append(button);
      tr.append(th);
    }
    head.replaceChildren(tr);
  }

  function build(entry) {
    const { id } = entry.row;
    entry.tr = make("tr");
    entry.tr.dataset.id = id;
    entry.check = Object.assign(make("input", "reslab-table-check"), { type: "checkbox" });
    entry.check.addEventListener("change", () => tick([id], entry.check.checked));
    entry.dot = make("span");
    entry.compare = Object.assign(make("button", "reslab-table-compare", "Compare"), { type: "button" });
    entry.compare.addEventListener("click", () => toggle(id));
    const [pick, dot, compare] = ["pick", "dot", "pick"].map((name) => make("td", `reslab-table-${name}`));
    pick.append(entry.check);
    dot.append(entry.dot);
    compare.append(entry.compare);
    entry.cells = model.get("columns").map(({ kind }) => {
      const td = make("td", `reslab-${kind}`);
      const text = make("span", "reslab-table-value");
      const track = kind === "progress" ? make("span", "reslab-table-track") : null;
      if (track) track.append(make("span"));
      td.append(...[track, text].filter(Boolean));
      return { td, text, track };
    });
    entry.tr.append(pick, dot, compare, ...entry.cells.map((cell) => cell.td));
    fill(entry);
    return entry.tr;
  }

  function fill({ row, texts, tr, check, compare, dot, cells }) {
    tr.title = row.id;
    check.setAttribute("aria-label", `Draw the curves of ${row.id}`);
    compare.setAttribute("aria-label", `Compare ${row.id}`);
    dot.style.background = row.colour;
    model.get("columns").forEach(({ key, kind }, i) => {
      if (cells[i].text.textContent !== texts[i]) cells[i].text.textContent = texts[i];
      if (kind === "state") cells[i].td.dataset.state = row[key] ?? "";
      if (cells[i].track) cells[i].track.firstChild.style.width = `${100 * Math.min(Math.max(row[key] ?? 0, 0), 1)}%`;
    });
  }

  function compareRows(a, b) {
    const [x, y] = [a, b].map(({ row }) => row[sort.key] ?? null);
    if (sort.key === null || x === y) return a.index - b.index;
    if (x === null || y === null) return x === null ? 1 : -1; // last, whichever way
    const order = typeof x === "number" && typeof y === "number" ? x - y : collator.compare(x, y);
    return sort.sign * order || a.index - b.index;
  }

  // Which rows are there, and where; only those that changed place are moved. A reader who sorts or filters is taken to
  // the top, a live update leaves the place as it is.
  function arrange(place = scroll.scrollTop) {
    const words = filter.value.toLowerCase().split(/\s+/);
    matching = [...entries.values()].filter((entry) => words.every((word) => entry.words.includes(word)));
    matching.sort(compareRows);
    const focused = document.activeElement;
    const rows = matching.slice(0, MOST).map((entry) => entry.tr ?? build(entry));
    const staying = new Set(rows);
    for (const tr of [...body.rows]) if (!staying.has(tr)) tr.remove();
    let next = body.firstElementChild;
    for (const tr of rows) {
      if (tr === next) next = next.nextElementSibling;
      else body.insertBefore(tr, next);
    }
    scroll.scrollTop = place;
    if (root.contains(focused)) focused.focus({ preventScroll: true });
    for (const th of head.querySelectorAll("th[data-key]")) {
      const direction = sort.sign === 1 ? "ascending" : "descending";
      th.setAttribute("aria-sort", th.dataset.key === sort.key ? direction : "none");
    }
    const found = matching.length < entries.size ? `${matching.length} of ${entries.size}` : `${entries.size}`;
    const cut = matching.length > MOST ? `, the first ${MOST} are listed` : "";
    count.textContent = `${found} ${entries.size === 1 ? "run" : "runs"}${cut}`;
    nothing.hidden = matching.length > 0;
    nothing.textContent = entries.size ? "No run has all of these words." : "No runs yet.";
    paint();
  }

  function paint() {
    const ticked = new Set(model.get("shown"));
    const pair = model.get("pair");
    for (const [id, { tr, check, compare }] of entries) {
      if (!tr) continue;
      check.checked = ticked.has(id);
      compare.setAttribute("aria-pressed", pair.includes(id));
    }
    const n = matching.filter(({ row }) => ticked.has(row.id)).length;
    all.disabled = matching.length === 0;
    all.checked = n > 0 && n === matching.length;
    all.indeterminate = n > 0 && n < matching.length;
  }

  function update() {
    const rows = model.get("rows");
    const present = new Set(rows.map((row) => row.id));
    for (const id of [...entries.keys()]) if (!present.has(id)) entries.delete(id);
    rows.forEach((row, index) => {
      const texts = model.get("columns").map((column) => format(row[column.key], column));
      const entry = entries.get(row.id) ?? {};
      Object.assign(entry, { row, index, texts, words: [row.id, ...texts].join(" ").toLowerCase() });
      entries.set(row.id, entry);
      if (entry.tr) fill(entry);
    });
    arrange();
  }
  function rebuild() {
    entries.clear();
    body.replaceChildren();
    buildHead();
    update();
  }

  all.addEventListener("change", () => tick(matching.map(({ row }) => row.id), all.checked));
  filter.addEventListener("input", () => arrange(0));
  const listeners = { "change:rows": update, "change:columns": rebuild, "change:shown change:pair": paint };
  for (const [event, act] of Object.entries(listeners)) model.on(event, act);
  rebuild();
  return () => Object.entries(listeners).forEach(([event, act]) => model.off(event, act));
}

export default { render };
