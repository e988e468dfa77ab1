// Methods by classes and methods by views, as tables whose cells are coloured.
function heatView(box) {
  const before = box.childElementCount;
  for (const [table, rows] of chosen()) {
    classCards(
      box,
      table,
      rows.filter((row) => row.classes),
    );
    const viewed = rows.filter((row) => Object.keys(row.parts).length);
    if (viewed.length) box.append(partCard(table, viewed));
  }
  if (box.childElementCount === before)
    box.append(el("p", { class: "notice" }, "None of these rows has saved predictions or scores of views."));
}

// Data sets may share a table and still have other classes: a map each.
function classCards(box, table, rows) {
  for (const width of new Set(rows.map((row) => row.classes.length))) {
    const same = rows.filter((row) => row.classes.length === width);
    const names = (same.find((row) => (row.classes_named || []).length === width) || {}).classes_named;
    const what = table.primary.includes("mAP")
      ? "average precision of each class"
      : "clips of each class that are recognised";
    box.append(
      card(
        titleOf(table),
        `${what}, %, mean over seeds.`,
        heat(
          `Classes of ${tableTitle(table)}`,
          same.map((row) => [row, row.classes]),
          (names || Array.from({ length: width }, (_, i) => String(i))).map((name) => name.replaceAll("_", " ")),
        ),
      ),
    );
  }
}

function partCard(table, rows) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.parts)))].sort();
  return card(
    titleOf(table),
    `${table.primary} of each view alone, and without a view or modality.`,
    heat(
      `Views of ${tableTitle(table)}`,
      rows.map((row) => [row, names.map((part) => row.parts[part] ?? null)]),
      names.map((part) => part.replaceAll("_", " ")),
    ),
  );
}

function heat(label, lines, columns) {
  const values = lines.flatMap(([, cells]) => cells).filter((value) => value !== null);
  const low = Math.min(...values),
    high = Math.max(...values);
  return scroll(
    label,
    scale(low, high),
    el(
      "table",
      { class: "heat" },
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          el("th", { scope: "col", class: "text first" }, "Row"),
          columns.map((column) =>
            el("th", { scope: "col", class: "num" }, el("span", { class: "name upright" }, column)),
          ),
        ),
      ),
      el(
        "tbody",
        {},
        lines.map(([row, cells]) =>
          el(
            "tr",
            {},
            el(
              "th",
              { scope: "row", class: "text first" },
              link(row),
              row.kind === "distilled" ? el("small", { class: "name" }, row.student) : null,
            ),
            cells.map((value) => cell(value, low, high)),
          ),
        ),
      ),
    ),
  );
}

const scale = (low, high) =>
  el(
    "p",
    { class: "scale" },
    low.toFixed(0),
    el("span", { class: "ramp", role: "img", "aria-label": "to" }),
    high.toFixed(0),
  );

function cell(value, low, high) {
  if (value === null) return el("td", { class: "num" }, NOT_KNOWN);
  const share = high > low ? (value - low) / (high - low) : 1;
  const made = el("td", { class: `num heated${share > 0.62 ? " deep" : ""}` }, value.toFixed(0));
  made.style.setProperty("--share", `${(100 * share).toFixed(0)}%`);
  return made;
}
