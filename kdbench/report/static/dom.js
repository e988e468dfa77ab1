// Elements made one by one: text is only ever text, so that no name can become markup.
const DATA = JSON.parse(document.getElementById("data").textContent);
const NOT_KNOWN = "–";
const byId = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined));
  return node;
}

const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
const name = (text) => el("span", { class: "name" }, String(text));

const number = (value, digits = 1) =>
  value === null || value === undefined ? NOT_KNOWN : value.toFixed(digits);
const signed = (value) =>
  value === null || value === undefined ? NOT_KNOWN : (value < 0 ? "−" : "+") + Math.abs(value).toFixed(1);

function count(value) {
  if (value === null || value === undefined) return NOT_KNOWN;
  for (const [size, letter] of [
    [1e9, " G"],
    [1e6, " M"],
    [1e3, " k"],
  ])
    if (Math.abs(value) >= size) return `${Number((value / size).toPrecision(3))}${letter}`;
  return String(Number(value.toPrecision(3)));
}

const rowTitle = (row) => [row.method, row.difference].filter(Boolean).join(" ");
const rowLabel = (row) =>
  row.kind === "distilled" ? rowTitle(row) : `${row.student}${row.kind === "alone" ? " alone" : ""}`;
const titleOf = (table) => [
  name(table.dataset),
  " ",
  el("small", { class: "name" }, `${table.protocol} · ${table.labels}`),
];
const tableTitle = (table) => `${table.dataset}, ${table.protocol}, ${table.labels}`;

// A table with a header; numbers are right-aligned where `numeric` says so.
function grid(header, lines, numeric) {
  const kind = (place) => ({ class: numeric.includes(place) ? "num" : place ? "text" : "text first" });
  return el(
    "table",
    {},
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        header.map((text, i) => el("th", { scope: "col", ...kind(i) }, text)),
      ),
    ),
    el(
      "tbody",
      {},
      lines.map((cells) =>
        el(
          "tr",
          {},
          cells.map((cell, i) =>
            i ? el("td", kind(i), cell) : el("th", { scope: "row", ...kind(0) }, cell),
          ),
        ),
      ),
    ),
  );
}

const put = (box, ...children) => fill(box, {}, children);
const scroll = (label, ...children) =>
  el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, ...children);
const asTable = (label, header, lines, numeric) =>
  el("details", {}, el("summary", {}, "The same as a table"), scroll(label, grid(header, lines, numeric)));
const card = (title, note, ...children) =>
  el(
    "section",
    { class: "card" },
    el("h2", {}, title),
    note ? el("p", { class: "muted" }, note) : null,
    ...children,
  );
