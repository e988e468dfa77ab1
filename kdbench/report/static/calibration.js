// Whether scores are probabilities, and how often a student decides as its teacher does.
function calibrationView(box) {
  const before = box.childElementCount;
  for (const [table, rows] of chosen()) {
    const known = rows.filter((row) => row.calibration);
    if (!known.length) continue;
    box.append(
      card(
        titleOf(table),
        "Confidence against frequency in 15 bins; a disc's area is the bin's share. On the line, scores are probabilities. ECE: the mean gap. Agreement: decisions shared with the teacher.",
        el("div", { class: "small-multiples" }, known.map(reliabilityFigure)),
        asTable(
          `Calibration of ${tableTitle(table)}`,
          ["Row", "Student", table.primary, "ECE, %", "Agreement with the teacher, %"],
          known.map((row) => [
            link(row),
            name(row.student),
            number(row.mean),
            number(row.calibration.ece),
            number(row.agreement),
          ]),
          [2, 3, 4],
        ),
      ),
    );
  }
  if (box.childElementCount === before)
    box.append(el("p", { class: "notice" }, "None of these rows has saved predictions."));
}

function reliabilityFigure(row) {
  const size = 132,
    [left, bottom] = [6, size - 6],
    side = size - 12;
  const at = ([confidence, frequency]) => [left + side * confidence, bottom - side * frequency];
  const picture = svg(
    "svg",
    {
      viewBox: `0 0 ${size} ${size}`,
      class: "chart reliability",
      role: "img",
      "aria-label": `${rowLabel(row)}: ${row.calibration.bins.map(([c, f]) => `confidence ${c.toFixed(2)}, right ${f.toFixed(2)}`).join("; ")}`,
    },
    svg("rect", { class: "box", x: left, y: bottom - side, width: side, height: side }),
    line(
      [
        [left, bottom],
        [left + side, bottom - side],
      ],
      { class: "ideal" },
    ),
    line(row.calibration.bins.map(at), { class: "series s0" }),
    row.calibration.bins.map((bin) =>
      svg("circle", {
        class: "bin",
        cx: at(bin)[0],
        cy: at(bin)[1],
        r: Math.max(1.5, 9 * Math.sqrt(bin[2])).toFixed(1),
      }),
    ),
  );
  const agreement = row.agreement === null ? null : el("span", {}, `agreement ${number(row.agreement)} %`);
  return el(
    "figure",
    {},
    picture,
    el(
      "figcaption",
      {},
      link(row),
      el("small", { class: "name" }, row.student),
      el("span", {}, `ECE ${number(row.calibration.ece)} %`),
      agreement,
    ),
  );
}
