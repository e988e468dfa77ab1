// Mean ranks over settings; a bar joins methods that the tests cannot tell apart.
function ranksView(box) {
  const found = DATA.ranks;
  if (found.message)
    return void box.append(card("Ranks over settings", null, el("p", { class: "notice" }, found.message)));
  const p = found.friedman === null ? "" : ` Friedman's test: p = ${Number(found.friedman.toPrecision(2))}.`;
  const part = card(
    "Ranks over settings",
    `Mean rank over ${found.blocks.length} settings that all of these methods share, 1 is best.${p} A bar joins methods that Wilcoxon's test with Holm's correction does not tell apart at ${100 * found.level} %.`,
  );
  box.append(part);
  part.append(
    rankPicture(Math.min(860, widthOf(part) - 40), found),
    asTable(
      "Mean ranks",
      ["Method", "mean rank", ...found.methods.map((method) => `p against ${method}`)],
      found.methods.map((method, i) => [
        name(method),
        number(found.ranks[i], 2),
        ...found.pairwise[i].map((value, j) => (i === j ? NOT_KNOWN : number(value, 3))),
      ]),
      found.methods.map((_, i) => i + 1).concat(found.methods.length + 1),
    ),
    el(
      "details",
      {},
      el("summary", {}, "The settings"),
      el(
        "ol",
        {},
        found.blocks.map((block) => el("li", {}, name(block))),
      ),
    ),
  );
}

function rankPicture(width, found) {
  const methods = found.methods.length,
    left = 16,
    right = width - 16;
  const X = axis([1, methods], [left + 60, right - 60]);
  const half = Math.ceil(methods / 2),
    base = 44,
    first = base + 24 + 12 * found.groups.length;
  const height = first + 26 * half + 6;
  const picture = svg("svg", {
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    class: "chart ranks",
    role: "img",
    "aria-label": `Mean ranks: ${found.methods.map((method, i) => `${method} ${number(found.ranks[i], 2)}`).join(", ")}`,
  });
  picture.append(svg("line", { class: "axis", x1: X(1), x2: X(methods), y1: base, y2: base }));
  for (let rank = 1; rank <= methods; rank++)
    picture.append(
      svg("line", { class: "axis", x1: X(rank), x2: X(rank), y1: base - 6, y2: base }),
      svg("text", { class: "tick", x: X(rank), y: base - 12, "text-anchor": "middle" }, String(rank)),
    );
  found.methods.forEach((method, i) => {
    const isLeft = i < half,
      y = first + 26 * (isLeft ? i : methods - 1 - i) + 12,
      x = X(found.ranks[i]),
      end = isLeft ? left : right;
    picture.append(
      line(
        [
          [x, base],
          [x, y],
          [end, y],
        ],
        { class: "leader" },
      ),
      svg(
        "text",
        { class: "label", x: end, y: y - 5, "text-anchor": isLeft ? "start" : "end" },
        `${method}  ${number(found.ranks[i], 2)}`,
      ),
    );
  });
  found.groups.forEach(([from, to], i) =>
    picture.append(
      svg("line", {
        class: "same",
        x1: X(found.ranks[from]) - 4,
        x2: X(found.ranks[to]) + 4,
        y1: base + 14 + 12 * i,
        y2: base + 14 + 12 * i,
      }),
    ),
  );
  return picture;
}
