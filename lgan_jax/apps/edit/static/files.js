/** Landmark files. In the program points are fractions of the image from edge to edge. */

const FORMAT = "lgan_jax landmarks";
const SLACK = 0.3; // of the image, by which points may lie outside it and still belong to it

export function toJson(points, run) {
  const pairs = Array.from({ length: points.length / 2 }, (_, i) => [points[2 * i], points[2 * i + 1]]);
  return `${JSON.stringify({ format: FORMAT, version: 1, scheme: run.scheme, points: pairs }, null, 1)}\n`;
}

/** iBUG's text format: pixels of the run's image, the center of the first one at (1, 1). */
export function toPts(points, run) {
  const pixel = (value) => (value * run.size + 0.5).toFixed(4);
  const lines = Array.from({ length: points.length / 2 }, (_, i) => `${pixel(points[2 * i])} ${pixel(points[2 * i + 1])}`);
  return `version: 1\nn_points: ${lines.length}\n{\n${lines.join("\n")}\n}\n`;
}

/** Points of a file's text, and whether they lie in the image. Throws an Error, one line, for anything else. */
export function parse(text, run) {
  const points = text.trimStart().startsWith("{") ? fromJson(text, run) : fromPts(text, run);
  if (points.length !== run.resting.length) {
    throw new Error(`the file has ${points.length / 2} points; this run has ${run.resting.length / 2} (${run.scheme})`);
  }
  if (!points.every(Number.isFinite)) throw new Error("the file holds something that is no number");
  return { points, framed: points.every((value) => value > -SLACK && value < 1 + SLACK) };
}

function fromJson(text, run) {
  let stored;
  try {
    stored = JSON.parse(text);
  } catch {
    throw new Error("the file is no JSON");
  }
  const pairs = Array.isArray(stored?.points) ? stored.points : null;
  if (!pairs?.every((pair) => Array.isArray(pair) && pair.length === 2)) throw new Error("the file holds no points [x, y]");
  if (stored.scheme && stored.scheme !== run.scheme) {
    throw new Error(`the file's points are ${stored.scheme}; this run has ${run.scheme}`);
  }
  return pairs.flat().map((value) => (typeof value === "number" ? value : NaN));
}

function fromPts(text, run) {
  const plain = text.replace(/(#|\/\/).*$/gm, "");
  const [head, body] = /^([^{]*)\{([^}]*)\}?\s*$/.exec(plain)?.slice(1) ?? [];
  if (body === undefined || !/n_points/i.test(head)) throw new Error("the file is neither JSON nor .pts");
  const values = body.trim().split(/[\s,;]+/).filter(Boolean).map(Number);
  const said = Number(/n_points\s*[:=]?\s*(\d+)/i.exec(head)?.[1] ?? NaN);
  if (2 * said !== values.length) throw new Error(`the file says ${said} points and has ${values.length / 2}`);
  return values.map((value) => (value - 0.5) / run.size);
}

/** Hands a file to the user. */
export function save(name, content, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
