/**
 * Landmarks being edited. A shape is what the hand made (`base`, Float32Array of x, y in [0, 1]) and where the sliders
 * stand (`values`); the landmarks follow from both, so that either can change without the other.
 */

const CENTRE = [0.5, 0.5]; // roll and scale are about the image's center
const TURNED = ["yaw", "roll"]; // sliders that a mirror turns round

/** A run's shapes: how sliders move points, and which points mirror each other. */
export class Shapes {
  constructor(run) {
    this.run = run;
    this.names = [...run.sliders.map((slider) => slider.name), "roll", "scale"];
  }

  /** A shape with every slider in the middle. */
  fresh(base) {
    return { base: Float32Array.from(base), values: Object.fromEntries(this.names.map((name) => [name, 0])) };
  }

  resting() {
    return this.fresh(this.run.resting);
  }

  /** The landmarks of a shape. */
  points(shape) {
    const points = Float32Array.from(shape.base);
    for (const { name, direction } of this.run.sliders) {
      const value = shape.values[name];
      if (value) for (let i = 0; i < points.length; i++) points[i] += value * direction[i];
    }
    const [a, b] = turn(shape);
    for (let i = 0; i < points.length; i += 2) {
      const x = points[i] - CENTRE[0];
      const y = points[i + 1] - CENTRE[1];
      points[i] = CENTRE[0] + a * x - b * y;
      points[i + 1] = CENTRE[1] + b * x + a * y;
    }
    return points;
  }

  /** The shape whose landmarks of these indices are moved by (dx, dy). */
  moved(shape, indices, dx, dy) {
    const [a, b] = turn(shape);
    const squared = a * a + b * b;
    const base = Float32Array.from(shape.base);
    for (const i of indices) {
      base[2 * i] += (a * dx + b * dy) / squared;
      base[2 * i + 1] += (a * dy - b * dx) / squared;
    }
    return { base, values: shape.values };
  }

  /** The shape with one slider elsewhere. */
  set(shape, name, value) {
    return { base: shape.base, values: { ...shape.values, [name]: value } };
  }

  /** The shape of the mirrored image: x becomes 1 - x, left and right change names. */
  mirrored(shape) {
    const base = new Float32Array(shape.base.length);
    this.run.mirror.forEach((other, i) => {
      base[2 * i] = 1 - shape.base[2 * other];
      base[2 * i + 1] = shape.base[2 * other + 1];
    });
    const values = { ...shape.values };
    for (const name of TURNED) values[name] = -values[name] || 0;
    return { base, values };
  }

  /** The way from one shape to another, at t in [0, 1]. */
  between(one, other, t) {
    const mix = (a, b) => a + t * (b - a);
    const values = {};
    for (const name of this.names) values[name] = mix(one.values[name], other.values[name]);
    return { base: one.base.map((value, i) => mix(value, other.base[i])), values };
  }

  /** Points moved, turned and scaled onto the resting face (least squares). */
  fitted(points) {
    const count = points.length / 2;
    const rest = this.run.resting;
    const mean = (from, axis) => from.reduce((sum, value, i) => (i % 2 === axis ? sum + value : sum), 0) / count;
    const [px, py, rx, ry] = [mean(points, 0), mean(points, 1), mean(rest, 0), mean(rest, 1)];
    let [a, b, squared] = [0, 0, 0];
    for (let i = 0; i < points.length; i += 2) {
      const [x, y, u, v] = [points[i] - px, points[i + 1] - py, rest[i] - rx, rest[i + 1] - ry];
      a += x * u + y * v;
      b += x * v - y * u;
      squared += x * x + y * y;
    }
    if (!(squared > 0)) throw new Error("the points all lie in one place");
    [a, b] = [a / squared, b / squared];
    return points.map((_, i) => {
      const [x, y] = [points[i - (i % 2)] - px, points[i - (i % 2) + 1] - py];
      return i % 2 ? ry + b * x + a * y : rx + a * x - b * y;
    });
  }
}

function turn({ values }) {
  const angle = (values.roll * Math.PI) / 180;
  const scale = 1 + values.scale / 100;
  return [scale * Math.cos(angle), scale * Math.sin(angle)];
}

/** Shapes that were, for undo and redo. Shapes are never changed in place. */
export class History {
  constructor(shape, onChange) {
    this.past = [];
    this.future = [];
    this.saved = this.kept = this.shape = shape;
    this.onChange = onChange;
  }

  /** Whether what is kept is neither what the history began with nor in a file. */
  get unsaved() {
    return this.kept !== this.saved;
  }

  /** What is kept is in a file now. */
  save() {
    this.saved = this.kept;
  }

  /** Shows a shape; while a hand moves it is not yet kept. */
  show(shape) {
    this.shape = shape;
    this.onChange();
  }

  /** Keeps what is shown as one step that can be undone. */
  keep() {
    if (this.shape === this.kept) return;
    this.past.push(this.kept);
    if (this.past.length > 500) this.past.shift();
    this.future = [];
    this.kept = this.shape;
    this.onChange();
  }

  change(shape) {
    this.shape = shape;
    this.keep();
  }

  undo() {
    this.step(this.past, this.future);
  }

  redo() {
    this.step(this.future, this.past);
  }

  step(from, to) {
    if (!from.length) return;
    to.push(this.kept);
    this.kept = this.shape = from.pop();
    this.onChange();
  }
}
