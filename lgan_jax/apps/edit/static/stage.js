/** The canvas: an image, landmarks over it, and the pointer and keys that move them. */

const MARGIN = 0.07; // of the frame shown around it, since outlines may leave the image
const NUDGE = 0.0025; // of the frame, by an arrow key; with Shift eight times that
const REACH = { mouse: 8, pen: 12, touch: 22 }; // pixels from the pointer to a point
const INK = { line: "255, 255, 255", shade: "10, 30, 32", point: "23, 105, 95", fitted: "214, 124, 36" };

export class Stage {
  /**
   * `hand` is told of what happens: `move(indices, dx, dy)` while dragging, `drop()` at its end, `choose(indices)`.
   */
  constructor(canvas, run, hand) {
    Object.assign(this, { canvas, run, hand });
    this.context = canvas.getContext("2d");
    this.image = null; // what is behind the landmarks: a canvas or an ImageBitmap
    this.points = Float32Array.from(run.resting);
    this.fitted = null; // converted landmarks, where they are shown
    this.chosen = new Set();
    this.hover = -1;
    this.opacity = 0.85;
    this.tool = "point";
    this.gesture = null;
    this.waiting = false;
    this.edges = edges(run);
    new ResizeObserver(() => this.resize()).observe(canvas);
    for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel", "pointerleave", "keydown"]) {
      canvas.addEventListener(name, (event) => this[name](event));
    }
    for (const name of ["focus", "blur"]) canvas.addEventListener(name, () => this.draw());
  }

  /** Draws at the next animation frame; any number of calls before it are one. */
  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.paint();
    });
  }

  resize() {
    const ratio = Math.min(devicePixelRatio || 1, 3);
    const side = Math.round(this.canvas.clientWidth * ratio);
    if (!side || this.canvas.width === side) return;
    this.canvas.width = this.canvas.height = side;
    this.paint();
  }

  paint() {
    const { context, canvas } = this;
    const side = canvas.width;
    context.clearRect(0, 0, side, side);
    const [left, span] = [(MARGIN / (1 + 2 * MARGIN)) * side, side / (1 + 2 * MARGIN)];
    context.imageSmoothingQuality = "high";
    if (this.image) context.drawImage(this.image, left, left, span, span);
    else {
      context.fillStyle = "#e9edea";
      context.fillRect(left, left, span, span);
    }
    if (this.fitted) this.trace(this.fitted, INK.fitted, true);
    this.trace(this.points, INK.point, false);
    if (this.gesture?.path) this.drawLasso(this.gesture.path);
  }

  /** Lines and points; each line has a dark edge, so that it is seen on light and dark skin. */
  trace(points, ink, thin) {
    const { context } = this;
    const unit = this.canvas.width / this.canvas.clientWidth;
    context.globalAlpha = this.opacity;
    context.lineJoin = context.lineCap = "round";
    const path = new Path2D();
    for (const [i, j] of this.edges) {
      path.moveTo(...this.place(points, i));
      path.lineTo(...this.place(points, j));
    }
    const strokes = thin ? [[2, `rgb(${ink})`]] : [[3, `rgba(${INK.shade}, 0.35)`], [1.4, `rgba(${INK.line}, 0.9)`]];
    for (const [width, style] of strokes) {
      context.lineWidth = width * unit;
      context.strokeStyle = style;
      context.stroke(path);
    }
    if (!thin) this.dots(points, ink, unit);
    context.globalAlpha = 1;
  }

  dots(points, ink, unit) {
    const { context } = this;
    for (let i = 0; i < points.length / 2; i++) {
      const marked = this.chosen.has(i) || i === this.hover;
      context.beginPath();
      context.arc(...this.place(points, i), (marked ? 4.6 : 2.6) * unit, 0, 7);
      context.fillStyle = marked ? `rgb(${ink})` : "#fff";
      context.fill();
      context.lineWidth = (marked ? 1.6 : 1.2) * unit;
      context.strokeStyle = marked ? "#fff" : `rgb(${ink})`;
      context.stroke();
    }
  }

  drawLasso(path) {
    const { context } = this;
    const unit = this.canvas.width / this.canvas.clientWidth;
    context.beginPath();
    for (const [x, y] of path) context.lineTo(...this.toCanvas(x, y));
    context.closePath();
    context.fillStyle = `rgba(${INK.point}, 0.14)`;
    context.fill();
    context.setLineDash([5 * unit, 4 * unit]);
    context.lineWidth = 1.5 * unit;
    context.strokeStyle = `rgb(${INK.point})`;
    context.stroke();
    context.setLineDash([]);
  }

  toCanvas(x, y) {
    const span = this.canvas.width / (1 + 2 * MARGIN);
    return [(x + MARGIN) * span, (y + MARGIN) * span];
  }

  place(points, i) {
    return this.toCanvas(points[2 * i], points[2 * i + 1]);
  }

  /** Where a pointer is in the frame, and how long a pixel of the screen is there. */
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const unit = (1 + 2 * MARGIN) / box.width;
    return { x: (event.clientX - box.left) * unit - MARGIN, y: (event.clientY - box.top) * unit - MARGIN, unit };
  }

  nearestPoint({ x, y, unit }, type) {
    let [best, nearest] = [-1, (REACH[type] ?? REACH.mouse) * unit];
    for (let i = 0; i < this.points.length / 2; i++) {
      const distance = Math.hypot(this.points[2 * i] - x, this.points[2 * i + 1] - y);
      if (distance < nearest) [best, nearest] = [i, distance];
    }
    return best;
  }

  /** The group whose line is near, or null. */
  nearestGroup({ x, y, unit }, reach) {
    let [best, nearest] = [null, reach * unit];
    for (const [i, j, name] of this.edges) {
      const distance = toSegment(x, y, this.points, i, j);
      if (distance < nearest) [best, nearest] = [name, distance];
    }
    return best;
  }

  groupOf(point) {
    return Object.keys(this.run.groups).find((name) => this.run.groups[name].includes(point));
  }

  /** What a drag from here moves: indices, or null for a lasso. */
  held(event, here) {
    if (event.shiftKey) return null;
    const point = this.nearestPoint(here, event.pointerType);
    if (this.chosen.size > 1 && this.chosen.has(point)) return [...this.chosen];
    if (this.tool === "lasso") return null;
    if (point >= 0 && this.tool === "point") return [point];
    const reach = this.tool === "group" ? 40 : (REACH[event.pointerType] ?? REACH.mouse) * 0.7;
    const group = point >= 0 ? this.groupOf(point) : this.nearestGroup(here, reach);
    return group ? this.run.groups[group] : [];
  }

  pointerdown(event) {
    if (event.button !== 0 || this.gesture) return;
    this.canvas.setPointerCapture(event.pointerId);
    const here = this.at(event);
    const indices = this.held(event, here);
    const pointer = event.pointerId;
    this.gesture = indices ? { pointer, indices, last: here } : { pointer, path: [[here.x, here.y]] };
    if (indices) this.choose(indices);
    this.draw();
  }

  pointermove(event) {
    const here = this.at(event);
    if (!this.gesture) {
      const over = event.pointerType === "touch" ? -1 : this.nearestPoint(here, event.pointerType);
      if (over !== this.hover) {
        this.hover = over;
        this.draw();
      }
    } else if (event.pointerId !== this.gesture.pointer) {
      return; // another finger
    } else if (this.gesture.path) {
      this.gesture.path.push([here.x, here.y]);
      this.draw();
    } else if (this.gesture.indices.length) {
      const { last, indices } = this.gesture;
      this.gesture.last = here;
      this.hand.move(indices, here.x - last.x, here.y - last.y, event.timeStamp);
    }
  }

  pointerup(event) {
    const gesture = this.gesture;
    if (gesture && event.pointerId !== gesture.pointer) return; // another finger does not end the drag
    this.gesture = null;
    if (gesture?.path) this.choose(inside(gesture.path, this.points));
    else if (gesture) this.hand.drop();
    this.draw();
  }

  pointercancel(event) {
    this.pointerup(event);
  }

  pointerleave() {
    if (this.hover < 0) return;
    this.hover = -1;
    this.draw();
  }

  keydown(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step || event.ctrlKey || event.metaKey || !this.chosen.size) return;
    event.preventDefault();
    const length = NUDGE * (event.shiftKey ? 8 : 1);
    this.hand.move([...this.chosen], step[0] * length, step[1] * length, event.timeStamp);
    this.hand.drop();
  }

  choose(indices) {
    this.chosen = new Set(indices);
    this.hand.choose(indices);
    this.draw();
  }

  /** The point after or before the one that is chosen. */
  stepPoint(by) {
    const count = this.points.length / 2;
    const last = this.chosen.size ? [...this.chosen].at(-1) : by > 0 ? -1 : 0;
    this.choose([(last + by + count) % count]);
    this.canvas.focus();
  }

  stepGroup() {
    const names = Object.keys(this.run.groups);
    const now = this.chosen.size ? names.indexOf(this.groupOf([...this.chosen][0])) : -1;
    this.choose(this.run.groups[names[(now + 1) % names.length]]);
    this.canvas.focus();
  }
}

/** `[first, second, group]` for every line. */
function edges(run) {
  return Object.entries(run.groups).flatMap(([name, members]) => {
    const pairs = members.slice(1).map((point, i) => [members[i], point, name]);
    return run.closed.includes(name) ? [...pairs, [members.at(-1), members[0], name]] : pairs;
  });
}

function toSegment(x, y, points, i, j) {
  const [ax, ay] = [points[2 * i], points[2 * i + 1]];
  const [dx, dy] = [points[2 * j] - ax, points[2 * j + 1] - ay];
  const t = Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}

/** Indices of the points inside a closed path (even-odd rule). */
function inside(path, points) {
  const found = [];
  for (let k = 0; k < points.length / 2; k++) {
    const [x, y] = [points[2 * k], points[2 * k + 1]];
    let odd = false;
    for (let i = 0, j = path.length - 1; i < path.length; j = i++) {
      const [[xi, yi], [xj, yj]] = [path[i], path[j]];
      if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) odd = !odd;
    }
    if (odd) found.push(k);
  }
  return found;
}
