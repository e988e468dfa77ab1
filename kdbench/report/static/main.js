// Which view is shown, the filters, and the theme.
const MADE = {
  cost: costView,
  curves: curvesView,
  heat: heatView,
  calibration: calibrationView,
  ranks: ranksView,
  row: rowView,
  run: runView,
};
const filters = byId("filters");

function show() {
  const { view, place } = state,
    tables = chosen(),
    page = view === "row" || view === "run";
  const box = byId("view-made");
  box.replaceChildren();
  byId("view-tables").hidden = view !== "tables";
  box.hidden = view === "tables";
  filters.hidden = page || view === "ranks";
  byId("across").hidden = view !== "tables";
  byId("nothing").hidden = page || view === "ranks" || tables.length > 0;
  showFilters(tables);
  if (view === "tables") showTables(tables);
  else if (page || view === "ranks" || tables.length) MADE[view](box, place);
  for (const tab of document.querySelectorAll("#views a")) {
    tab.href = address(tab.dataset.view);
    if (tab.dataset.view === view) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
}

function showFilters(tables) {
  for (const field of filters.elements) {
    if (!field.name) continue;
    if (field.type === "checkbox") field.checked = Boolean(state[field.name]);
    else if (field.value !== state[field.name]) field.value = state[field.name];
  }
  const shown = tables.reduce((sum, [, rows]) => sum + rows.length, 0);
  byId("shown").textContent = `${shown} of ${DATA.rows.length} rows`;
}

function prepareFilters() {
  const read = () => {
    const asked = {};
    for (const field of filters.elements)
      if (field.name)
        asked[field.name] = field.type === "checkbox" ? (field.checked ? "1" : "") : field.value;
    change(asked);
  };
  filters.addEventListener("input", read);
  filters.addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", () =>
    change({ data: "", protocol: "", labels: "", student: "", q: "", hide: "", across: "" }),
  );
}

const THEMES = ["system", "light", "dark"];
function prepareTheme() {
  const button = byId("theme");
  const put = (theme) => {
    if (theme === "system") document.documentElement.removeAttribute("data-theme");
    else document.documentElement.dataset.theme = theme;
    button.textContent = `◐ ${theme}`;
    button.setAttribute("aria-label", `Theme: ${theme}`);
  };
  let theme = "system";
  try {
    theme = THEMES.find((each) => each === localStorage.getItem("kdbench-theme")) || theme;
  } catch {
    /* a browser may refuse storage to files */
  }
  put(theme);
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    try {
      localStorage.setItem("kdbench-theme", theme);
    } catch {
      /* then the choice lasts as long as the page */
    }
    put(theme);
  });
}

function go() {
  const before = `${state.view}/${state.place}`;
  readAddress();
  show();
  if (before === `${state.view}/${state.place}`) return;
  window.scrollTo(0, 0);
  (document.querySelector(".page-title") || byId("content")).focus({ preventScroll: true });
}

for (const id of ["views", "filters", "theme"]) byId(id).hidden = false;
prepareTables();
prepareFilters();
prepareTheme();
readAddress();
show();
window.addEventListener("hashchange", go);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("content").focus();
});
let settled,
  width = window.innerWidth;
window.addEventListener("resize", () => {
  if (window.innerWidth === width) return; // a phone's address bar changes only the height
  width = window.innerWidth;
  clearTimeout(settled);
  settled = setTimeout(() => state.view !== "tables" && show(), 150);
});
