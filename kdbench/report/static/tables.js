// The tables stand in the page; here their rows are put in order, hidden and ranked.
const lowerFirst = new Set(["rank", "params", "gflops", "cpu", "epochs"]);

function prepareTables() {
  for (const head of document.querySelectorAll("table.board th[data-key]")) {
    const key = head.dataset.key,
      title = head.textContent;
    head.replaceChildren(el("button", { type: "button", onclick: () => sortBy(key) }, title));
  }
}

function sortBy(key) {
  const [now, way] = state.sort.split(".");
  const first = lowerFirst.has(key) || key === "method" || key === "student" ? "asc" : "desc";
  const second = first === "asc" ? "desc" : "asc";
  change({ sort: now !== key ? `${key}.${first}` : way === first ? `${key}.${second}` : "" });
}

function compare(a, b, key, way) {
  const value = (row) =>
    key === "rank" && state.across ? row.rank_of_all : key === "method" ? rowTitle(row) : row[key];
  const one = value(a),
    other = value(b);
  if (one === null || other === null) return (one === null) - (other === null);
  const order = typeof one === "number" ? one - other : String(one).localeCompare(String(other));
  return way === "asc" ? order : -order;
}

function ordered(rows) {
  const [key, way] = state.sort.split(".");
  const fallback = (a, b) => (a.reasons.length > 0) - (b.reasons.length > 0) || b.mean - a.mean;
  return [...rows].sort((a, b) => (key ? compare(a, b, key, way) : 0) || fallback(a, b) || a.id - b.id);
}

function showTables(tables) {
  const kept = new Map(tables.map(([table, rows]) => [table.id, rows]));
  for (const section of document.querySelectorAll("#view-tables [data-table]")) {
    const rows = kept.get(Number(section.dataset.table));
    section.hidden = !rows;
    if (rows) showTable(section, rows);
  }
}

function showTable(section, rows) {
  const bodies = [...section.querySelectorAll("tbody")];
  const lines = new Map(
    [...section.querySelectorAll("tr[data-row]")].map((line) => [Number(line.dataset.row), line]),
  );
  lines.forEach((line) => (line.hidden = true));
  for (const row of ordered(rows)) {
    const line = lines.get(row.id);
    line.hidden = false;
    line.querySelector(".rank").textContent = (state.across ? row.rank_of_all : row.rank) ?? NOT_KNOWN;
    bodies[state.across ? 0 : row.block].append(line);
  }
  for (const body of bodies) {
    body.hidden = !body.querySelector("tr[data-row]:not([hidden])");
    const head = body.querySelector("tr.budget");
    if (head) head.hidden = Boolean(state.across);
  }
  section.classList.toggle("across", Boolean(state.across));
  const [key, way] = state.sort.split(".");
  for (const head of section.querySelectorAll("th[data-key]"))
    head.setAttribute(
      "aria-sort",
      head.dataset.key !== key ? "none" : way === "asc" ? "ascending" : "descending",
    );
}
