// Scores and losses over epochs: the mean over seeds and the range of them.
const LOSS = "training loss";
const picked = new Map(); // table -> ids of the rows that are drawn

function curvesView(box) {
  const tables = chosen();
  const names = [
    ...new Set(
      tables.flatMap(([, rows]) =>
        rows.flatMap((row) => row.runs.flatMap((id) => Object.keys(DATA.runs[id].curves))),
      ),
    ),
  ].sort();
  if (!names.length)
    return void box.append(el("p", { class: "notice" }, "None of these rows has a saved history."));
  const metric = names.includes(state.metric)
    ? state.metric
    : names.find((each) => each === LOSS) || names[0];
  box.append(
    el(
      "p",
      { class: "controls" },
      el(
        "label",
        {},
        "What ",
        el(
          "select",
          { name: "metric", onchange: (event) => change({ metric: event.target.value }) },
          names.map((each) => el("option", { value: each, selected: each === metric ? "" : null }, each)),
        ),
      ),
    ),
  );
  for (const [table, rows] of tables) {
    const drawn = rows
      .map((row) => ({ row, ...meanCurve(row.runs, metric) }))
      .filter((curve) => curve.x.length);
    if (!drawn.length) continue;
    const part = card(titleOf(table), `${metric}: mean over seeds; the band is the range of the seeds.`);
    box.append(part);
    curveCard(part, table, drawn, metric);
  }
}

function meanCurve(runs, metric) {
  const all = runs.map((id) => DATA.runs[id].curves[metric]).filter(Boolean);
  const x = all.length ? all[0].x.filter((at) => all.every((curve) => curve.x.includes(at))) : [];
  const columns = x.map((at) =>
    all.map((curve) => curve.y[curve.x.indexOf(at)]).filter((value) => value !== null),
  );
  const kept = x.map((at, i) => [at, columns[i]]).filter(([, values]) => values.length);
  return {
    x: kept.map(([at]) => at),
    mean: kept.map(([, values]) => values.reduce((sum, value) => sum + value, 0) / values.length),
    low: kept.map(([, values]) => Math.min(...values)),
    high: kept.map(([, values]) => Math.max(...values)),
  };
}

function curveCard(part, table, curves, metric) {
  if (!picked.has(table.id))
    picked.set(table.id, new Set(curves.slice(0, SERIES).map((curve) => curve.row.id)));
  const chosenRows = picked.get(table.id),
    figure = el("div", {});
  const draw = () =>
    figure.replaceChildren(
      lines(
        widthOf(part) - 40,
        curves.filter((curve) => chosenRows.has(curve.row.id)),
        metric,
        tableTitle(table),
        (curve) => styleOf(curves, curve),
      ),
    );
  const toggle = (id) => (event) => {
    chosenRows[event.target.checked ? "add" : "delete"](id);
    draw();
  };
  part.append(
    figure,
    el(
      "fieldset",
      { class: "legend" },
      el("legend", {}, "Rows"),
      curves.map((curve) =>
        el(
          "label",
          { class: "check" },
          el("input", {
            type: "checkbox",
            checked: chosenRows.has(curve.row.id) ? "" : null,
            onchange: toggle(curve.row.id),
          }),
          swatch(styleOf(curves, curve)),
          name(`${rowLabel(curve.row)}${curve.row.kind === "distilled" ? `, ${curve.row.student}` : ""}`),
        ),
      ),
    ),
  );
  part.append(
    asTable(
      `Curves of ${tableTitle(table)}`,
      ["Row", "Student", "epochs", "first", "last"],
      curves.map((curve) => [
        link(curve.row),
        name(curve.row.student),
        count(curve.x[curve.x.length - 1]),
        number(curve.mean[0], 2),
        number(curve.mean[curve.mean.length - 1], 2),
      ]),
      [2, 3, 4],
    ),
  );
  draw();
}

const styleOf = (curves, curve) => {
  const place = curves.indexOf(curve);
  return {
    class: `series s${place % SERIES}`,
    "stroke-dasharray": DASHES[Math.floor(place / SERIES) % DASHES.length],
  };
};
const swatch = (style) =>
  svg(
    "svg",
    { width: 26, height: 10, "aria-hidden": "true" },
    line(
      [
        [1, 5],
        [25, 5],
      ],
      style,
    ),
  );

function lines(width, curves, metric, title, style) {
  if (!curves.length) return el("p", { class: "notice" }, "No row is chosen.");
  const xs = curves.flatMap((curve) => curve.x),
    ys = curves.flatMap((curve) => [...curve.low, ...curve.high]);
  const log = metric === LOSS && Math.min(...ys) > 0; // methods differ in the size of their losses, not in their shape
  const chart = frame(width, width < 480 ? 260 : 320, {
    x: {
      range:
        xs.length > 1 && Math.min(...xs) < Math.max(...xs) ? [Math.min(...xs), Math.max(...xs)] : ends(xs),
      title: "epoch",
    },
    y: { range: log ? logEnds(ys) : ends(ys), log, title: log ? `${metric}, logarithmic` : metric },
    label: `${metric} over epochs: ${title}`,
  });
  for (const curve of curves) {
    const at = (values) => curve.x.map((x, i) => [chart.x(x), chart.y(values[i])]);
    if (curve.x.length > 1)
      chart.picture.append(
        line([...at(curve.high), ...at(curve.low).reverse()], { class: `band ${style(curve).class}` }),
      );
    else
      chart.picture.append(
        svg("circle", {
          class: style(curve).class,
          cx: at(curve.mean)[0][0],
          cy: at(curve.mean)[0][1],
          r: 4,
        }),
      );
    chart.picture.append(line(at(curve.mean), style(curve)));
  }
  return chart.picture;
}
