/** A canvas that shows something as large as its surroundings let it, sharp on every screen. */

export class Pane {
  constructor(canvas) {
    Object.assign(this, { canvas, width: 1, height: 1, draw: null });
    new ResizeObserver(() => this.paint()).observe(canvas.parentElement);
  }

  /** Shows what `draw(context, unit)` draws in `width` by `height`, of which `unit` is a pixel of the screen. */
  show(width, height, draw) {
    Object.assign(this, { width, height, draw });
    this.paint();
  }

  paint() {
    const { canvas, width, height } = this;
    const { clientWidth, clientHeight } = canvas.parentElement;
    const scale = Math.min(clientWidth / width, clientHeight / height);
    if (!this.draw || !scale) return;
    const ratio = scale * Math.min(devicePixelRatio || 1, 3);
    Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    Object.assign(canvas.style, { width: `${width * scale}px`, height: `${height * scale}px` });
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.imageSmoothingQuality = "high";
    this.draw(context, 1 / scale);
  }
}
