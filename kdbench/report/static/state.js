// What is shown stands in the address: a link or a reload gives the same page.
const VIEWS = ["tables", "cost", "curves", "heat", "calibration", "ranks", "row", "run"];
const DEFAULTS = {
  data: "",
  protocol: "",
  labels: "",
  student: "",
  q: "",
  sort: "",
  across: "",
  hide: "",
  cost: "cpu",
  metric: "",
};
let state = { view: "tables", place: null, ...DEFAULTS };

function readAddress() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, place] = path.split("/");
  const asked = new URLSearchParams(query || "");
  const settings = Object.fromEntries(
    Object.keys(DEFAULTS).map((key) => [key, asked.get(key) ?? DEFAULTS[key]]),
  );
  state = {
    view: VIEWS.includes(view) ? view : "tables",
    place: /^\d+$/.test(place || "") ? Number(place) : null,
    ...settings,
  };
}

function address(view, place = null) {
  const asked = new URLSearchParams();
  for (const key of Object.keys(DEFAULTS)) if (state[key] !== DEFAULTS[key]) asked.set(key, state[key]);
  const query = asked.toString();
  return `#/${view}${place === null ? "" : `/${place}`}${query ? `?${query}` : ""}`;
}

function change(settings) {
  Object.assign(state, settings);
  history.replaceState(null, "", address(state.view, state.place));
  show();
}

function matches(row) {
  const table = DATA.tables[row.table];
  const text = [
    row.name,
    row.method,
    row.student,
    row.teacher,
    row.distiller,
    table.dataset,
    table.protocol,
    table.labels,
  ];
  const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
  const haystack = text.filter(Boolean).join(" ").toLowerCase();
  return (
    (!state.data || table.dataset === state.data) &&
    (!state.protocol || table.protocol === state.protocol) &&
    (!state.labels || table.labels === state.labels) &&
    (!state.student || row.student === state.student) &&
    (!state.hide || !row.reasons.length) &&
    words.every((word) => haystack.includes(word))
  );
}

// [table, its rows that fit the filters], tables without one left out.
const chosen = () =>
  DATA.tables
    .map((table) => [table, table.rows.map((id) => DATA.rows[id]).filter(matches)])
    .filter(([, rows]) => rows.length);
