// Accuracy against cost, and the rows that none beats in both.
function costView(box) {
  const known = Object.entries(DATA.costs).filter(([key]) => DATA.rows.some((row) => row[key] !== null));
  const cost = known.some(([key]) => key === state.cost) ? state.cost : known[0][0];
  box.append(
    el(
      "p",
      { class: "controls" },
      el(
        "label",
        {},
        "Cost ",
        el(
          "select",
          { name: "cost", onchange: (event) => change({ cost: event.target.value }) },
          known.map(([key, title]) =>
            el("option", { value: key, selected: key === cost ? "" : null }, title),
          ),
        ),
      ),
      legendOfKinds(),
    ),
  );
  for (const [table, rows] of chosen()) {
    const points = rows.filter((row) => row[cost] !== null && row[cost] > 0 && row.mean !== null);
    if (!points.length) continue;
    const part = card(
      titleOf(table),
      `${table.primary} against ${DATA.costs[cost]}; the line is the Pareto front of the reliable rows.` +
        (cost === "latency" ? ` Latency: ${DATA.latency}.` : ""),
    );
    box.append(part);
    scatter(part, table, points, cost);
  }
}

const legendOfKinds = () =>
  el(
    "span",
    { class: "kinds" },
    [
      ["distilled", "distilled"],
      ["alone", "student alone"],
      ["teacher", "teacher"],
    ].map(([kind, title]) =>
      el(
        "span",
        { class: `kind ${kind}` },
        svg("svg", { width: 14, height: 14, "aria-hidden": "true" }, mark(kind, 7, 7, 4.5)),
        title,
      ),
    ),
  );

function scatter(part, table, rows, cost) {
  const width = widthOf(part) - 40,
    height = width < 480 ? 300 : 380;
  const costs = rows.map((row) => row[cost]);
  const floor = lowest(rows.map((row) => row.mean));
  const x = { range: logEnds(costs), log: true, title: `${DATA.costs[cost]}, logarithmic` };
  const chart = frame(width, height, {
    x,
    y: { range: ends(rows.map((row) => Math.max(row.mean, floor))), title: table.primary },
    label: `${table.primary} against ${DATA.costs[cost]}: ${tableTitle(table)}`,
  });
  chart.height = (row) => chart.y(Math.max(row.mean, floor));
  const below = rows.filter((row) => row.mean < floor);
  const spoken = el("output", { class: "spoken muted" }, "Point at a mark, or move to it with the tab key.");
  const front = table.fronts[cost].map((id) => DATA.rows[id]).filter((row) => rows.includes(row));
  chart.picture.append(
    line(
      stairs(
        front.map((row) => [chart.x(row[cost]), chart.height(row)]),
        chart.right,
      ),
      { class: "front" },
    ),
  );
  const labels = place(rows, front, chart, cost);
  for (const row of [...rows].sort((a, b) => a[cost] - b[cost]))
    chart.picture.append(point(row, chart, cost, labels.get(row.id), spoken, front.includes(row)));
  put(
    part,
    chart.picture,
    below.length
      ? el(
          "p",
          { class: "muted" },
          `Drawn at the lower edge, far below the others: `,
          below.map((row, i) => [i ? ", " : "", name(rowLabel(row)), ` ${number(row.mean)}`]),
        )
      : null,
    spoken,
    asTable(
      `Costs of ${tableTitle(table)}`,
      ["Row", "Student", table.primary, DATA.costs[cost], "On the front"],
      [...rows]
        .sort((a, b) => a[cost] - b[cost])
        .map((row) => [
          link(row),
          name(row.student),
          number(row.mean),
          count(row[cost]),
          front.includes(row) ? "yes" : "no",
        ]),
      [2, 3],
    ),
  );
}

// Scores further below the lower quarter than four times the middle half is wide would leave no room for the others.
function lowest(scores) {
  const sorted = [...scores].sort((a, b) => a - b),
    at = (share) => sorted[Math.floor(share * (sorted.length - 1))];
  const fence = at(0.25) - 4 * (at(0.75) - at(0.25)),
    kept = sorted.filter((score) => score >= fence);
  return kept[0];
}

// A front holds until the next, dearer row is better.
const stairs = (points, right) =>
  points
    .flatMap(([x, y], i) => [...(i ? [[x, points[i - 1][1]]] : []), [x, y]])
    .concat(points.length ? [[right, points[points.length - 1][1]]] : []);

function point(row, chart, cost, label, spoken, onFront) {
  const [x, y] = [chart.x(row[cost]), chart.height(row)];
  const range = row.low === null ? "" : ` (95 % interval ${number(row.low)} to ${number(row.high)})`;
  const text =
    `${rowLabel(row)}, ${row.student}: ${number(row.mean)}${range} at ${count(row[cost])} ${DATA.costs[cost]}` +
    (onFront ? ", on the Pareto front" : "") +
    (row.reasons.length ? `; unreliable: ${row.reasons.join("; ")}` : "");
  const say = () => (spoken.textContent = text);
  const shown = label || { x: x + 9, y: y + 4, anchor: "start" };
  return svg(
    "a",
    {
      href: address("row", row.id),
      class: `point ${row.kind}${row.reasons.length ? " unreliable" : ""}${label ? "" : " silent"}`,
      "aria-label": text,
      onfocus: say,
      onmouseenter: say,
    },
    mark(row.kind, x, y),
    svg("text", { class: "label", x: shown.x, y: shown.y, "text-anchor": shown.anchor }, rowLabel(row)),
  );
}

// Labels where there is room: those of the front first, then the best; the others show when pointed at.
function place(rows, front, chart, cost) {
  const boxes = rows.map((row) => ({
    l: chart.x(row[cost]) - 5,
    r: chart.x(row[cost]) + 5,
    t: chart.height(row) - 5,
    b: chart.height(row) + 5,
  }));
  const found = new Map();
  for (const row of [
    ...front,
    ...rows.filter((each) => !front.includes(each)).sort((a, b) => b.mean - a.mean),
  ]) {
    const [x, y, long] = [chart.x(row[cost]), chart.height(row), 6.4 * rowLabel(row).length];
    const options = [
      [x + 9, y + 4, "start"],
      [x - 9, y + 4, "end"],
      [x, y - 10, "middle"],
      [x, y + 18, "middle"],
    ];
    for (const [at, down, anchor] of options) {
      const l = anchor === "start" ? at : anchor === "end" ? at - long : at - long / 2;
      const box = { l, r: l + long, t: down - 11, b: down + 3 };
      const inside =
        box.l > chart.left && box.r < chart.right && box.t > chart.top - 8 && box.b < chart.bottom;
      if (
        !inside ||
        boxes.some((other) => box.l < other.r && box.r > other.l && box.t < other.b && box.b > other.t)
      )
        continue;
      boxes.push(box);
      found.set(row.id, { x: at, y: down, anchor });
      break;
    }
  }
  return found;
}

const link = (row) => el("a", { href: address("row", row.id), class: "name" }, rowLabel(row));
