// A page for each row and each run.
const back = () => el("p", {}, el("a", { href: address("tables") }, "← All tables"));
const facts = (pairs) =>
  el(
    "dl",
    { class: "facts" },
    pairs
      .filter(([, value]) => value !== null && value !== undefined && value !== "")
      .map(([term, value]) =>
        el("div", {}, el("dt", {}, term), el("dd", {}, typeof value === "string" ? name(value) : value)),
      ),
  );
const warnings = (texts) =>
  texts.length
    ? el(
        "ul",
        { class: "warnings" },
        texts.map((text) => el("li", {}, name(text))),
      )
    : null;

function rowView(box, place) {
  const row = DATA.rows[place];
  if (!row) return void put(box, back(), el("p", { class: "notice" }, "There is no such row."));
  const table = DATA.tables[row.table];
  put(
    box,
    back(),
    el("h2", { class: "page-title", tabindex: "-1" }, name(row.name)),
    el("p", { class: "muted" }, name(tableTitle(table))),
    warnings(row.reasons),
    card(
      "Score",
      null,
      facts([
        [table.primary, `${number(row.mean)}${row.std === null ? "" : ` ± ${number(row.std)}`}`],
        ["95 % interval", row.low === null ? null : `${number(row.low)} to ${number(row.high)}`],
        ["Rank in its budget", row.rank === null ? "not ranked" : String(row.rank)],
        ["Student", row.student],
        ["Student alone", row.alone === null ? null : number(row.alone)],
        ["Teacher", row.teacher === null ? null : `${row.teacher}, ${number(row.teacher_mean)}`],
        ["Gain", row.gain === null ? null : `${signed(row.gain)}, ${row.won} of ${row.pairs} seeds won`],
        ["Agreement with the teacher", row.agreement === null ? null : `${number(row.agreement)} %`],
        ["ECE of the predictions", row.calibration === null ? null : `${number(row.calibration.ece)} %`],
        ["Budget", row.budget_text],
        ["Parameters", count(row.params)],
        ["GFLOPs", count(row.gflops)],
        ["CPU seconds", count(row.cpu)],
        ["Wall seconds", count(row.wall)],
        ["Latency, ms", row.latency === null ? null : `${number(row.latency, 2)}, ${DATA.latency}`],
        ["Config", row.config],
      ]),
    ),
    seedsCard(row, table),
    ownCurves(row.runs, rowLabel(row)),
  );
}

function seedsCard(row, table) {
  const names = Object.keys(row.metrics);
  if (!row.runs.length)
    return card(
      "Seeds",
      "From the metafile; the runs themselves are not at hand.",
      scroll(
        "Seeds",
        grid(
          ["Seed", table.primary],
          row.seeds.map(({ seed, value }) => [String(seed), number(value)]),
          [1],
        ),
      ),
    );
  return card(
    "Seeds",
    null,
    scroll(
      "Seeds",
      grid(
        ["Seed", ...names],
        row.runs
          .map((id) => {
            const { result } = DATA.runs[id];
            return [
              el("a", { href: address("run", id) }, `seed ${result.seed}`),
              ...names.map((metric) => number(result.metrics[metric], 2)),
            ];
          })
          .concat([["mean", ...names.map((metric) => number(row.metrics[metric], 2))]]),
        names.map((_, i) => i + 1),
      ),
    ),
  );
}

function ownCurves(runs, title) {
  const names = [...new Set(runs.flatMap((id) => Object.keys(DATA.runs[id].curves)))];
  const part = card("Curves", "Mean over the seeds shown here; the band is their range.");
  for (const metric of names) {
    const curve = meanCurve(runs, metric);
    if (curve.x.length > 1)
      part.append(
        lines(Math.min(760, widthOf(byId("view-made")) - 40), [curve], metric, title, () => ({
          class: "series s0",
        })),
      );
  }
  return part.querySelector("svg") ? part : null;
}

// Any tree of plain values as terms and texts.
function flat(value, prefix = "") {
  if (value === null || typeof value !== "object")
    return [[prefix, value === null ? NOT_KNOWN : String(value)]];
  const entries = Object.entries(value);
  if (!entries.length) return [[prefix, "none"]];
  if (Array.isArray(value) && value.every((item) => item === null || typeof item !== "object"))
    return [[prefix, value.join(", ")]];
  return entries.flatMap(([key, item]) => flat(item, prefix ? `${prefix} · ${key}` : key));
}

function runView(box, place) {
  const run = DATA.runs[place];
  if (!run) return void put(box, back(), el("p", { class: "notice" }, "There is no such run."));
  const { result } = run,
    row = DATA.rows.find((each) => each.runs.includes(place));
  const part = (title, key) =>
    result[key] && typeof result[key] === "object" ? card(title, null, facts(flat(result[key]))) : null;
  const { command, ...repro } = result.repro || {};
  put(
    box,
    back(),
    el("h2", { class: "page-title", tabindex: "-1" }, name(run.name)),
    el(
      "p",
      { class: "muted" },
      name(run.folder),
      row ? [" · ", el("a", { href: address("row", row.id) }, "its row, over all seeds")] : null,
    ),
    warnings(run.warnings),
    part("Scores", "metrics"),
    card(
      "Made by",
      null,
      command ? el("pre", { tabindex: "0" }, command) : null,
      facts([
        ...flat(repro),
        ["status", String(result.status)],
        ["epochs", String(result.epochs ?? NOT_KNOWN)],
        ["steps", String(result.steps ?? NOT_KNOWN)],
      ]),
    ),
    part("Selected by validation", "selected"),
    ownCurves([place], run.name),
    part("Config", "config"),
    part("Data", "data"),
    part("Student", "student"),
    part("Teacher", "teacher"),
    part("Goes on from", "start"),
    part("Cost", "train"),
    part("Environment", "environment"),
    part("Predictions", "predictions"),
    run.config.length
      ? card(
          "Config, whole",
          null,
          el("pre", { tabindex: "0" }, run.config.map((id) => DATA.lines[id]).join("\n")),
        )
      : null,
  );
}
