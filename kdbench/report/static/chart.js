// Axes, lines and points as SVG of the width that there is.
const SERIES = 6;
const DASHES = ["", "7 3", "2 3", "9 3 2 3"];

function ticks(low, high, wanted) {
  const step = 10 ** Math.floor(Math.log10((high - low) / wanted || 1));
  const size = [1, 2, 5, 10].map((factor) => factor * step).find((each) => (high - low) / each <= wanted);
  const first = Math.ceil(low / size - 1e-9);
  return Array.from({ length: Math.max(0, Math.floor(high / size + 1e-9) - first + 1) }, (_, i) =>
    Number(((first + i) * size).toPrecision(12)),
  );
}

function logTicks(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    for (const factor of [1, 2, 5])
      if (factor * 10 ** power >= low && factor * 10 ** power <= high) found.push(factor * 10 ** power);
  return found;
}

// The ends of an axis with some room, also of a single value.
function ends(values, room = 0.06) {
  const low = Math.min(...values),
    high = Math.max(...values);
  const more = (high - low || Math.abs(high) || 1) * room;
  return [low - more, high + more];
}

function axis(range, pixels, log) {
  const at = log ? Math.log10 : (value) => value;
  const [low, high] = range.map(at);
  return (value) => pixels[0] + ((at(value) - low) / (high - low || 1)) * (pixels[1] - pixels[0]);
}

// The ends of a logarithmic axis, at least a factor of two apart.
function logEnds(values, room = 0.06) {
  const low = Math.min(...values),
    high = Math.max(...values);
  const more = Math.max(Math.SQRT2 * Math.sqrt(low / high), (high / low) ** room);
  return [low / more, high * more];
}

// A frame with grid and titles: { picture, x, y, left, right, top, bottom }; `made` draws into the picture.
function frame(width, height, { x, y, label }) {
  const left = 46,
    right = width - 14,
    top = 26,
    bottom = height - 44;
  const X = axis(x.range, [left, right], x.log),
    Y = axis(y.range, [bottom, top], y.log);
  const picture = svg("svg", {
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    class: "chart",
    role: "group",
    "aria-label": label,
  });
  const most = Math.max(2, Math.floor((right - left) / 70));
  const below = x.log ? thinned(logTicks(...x.range), X, 44) : ticks(...x.range, most);
  for (const value of y.log ? logTicks(...y.range) : ticks(...y.range, 6)) {
    picture.append(svg("line", { class: "grid", x1: left, x2: right, y1: Y(value), y2: Y(value) }));
    picture.append(
      svg("text", { class: "tick", x: left - 8, y: Y(value) + 4, "text-anchor": "end" }, count(value)),
    );
  }
  for (const value of below) {
    picture.append(svg("line", { class: "grid faint", x1: X(value), x2: X(value), y1: top, y2: bottom }));
    picture.append(
      svg("text", { class: "tick", x: X(value), y: bottom + 18, "text-anchor": "middle" }, count(value)),
    );
  }
  picture.append(svg("text", { class: "title", x: right, y: height - 6, "text-anchor": "end" }, x.title));
  picture.append(svg("text", { class: "title", x: 4, y: 14 }, y.title));
  return { picture, x: X, y: Y, left, right, top, bottom };
}

function thinned(values, place, gap) {
  const kept = [];
  for (const value of values)
    if (!kept.length || place(value) - place(kept[kept.length - 1]) >= gap) kept.push(value);
  return kept;
}

const line = (points, attributes) =>
  svg("path", {
    d: points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join(""),
    fill: "none",
    ...attributes,
  });

// Distilled students are discs, lone ones squares, teachers triangles: shape says it as well as colour.
function mark(kind, x, y, size = 5) {
  if (kind === "alone")
    return svg("rect", {
      class: "mark",
      x: x - size + 0.5,
      y: y - size + 0.5,
      width: 2 * size - 1,
      height: 2 * size - 1,
    });
  if (kind === "teacher")
    return svg("path", {
      class: "mark",
      d: `M${x} ${y - size - 1}l${size + 1} ${2 * size}h-${2 * size + 2}z`,
    });
  return svg("circle", { class: "mark", cx: x, cy: y, r: size });
}

const widthOf = (box) => Math.max(280, Math.floor(box.clientWidth || byId("content").clientWidth - 40));
