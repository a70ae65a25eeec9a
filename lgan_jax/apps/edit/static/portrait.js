/** The photo and its edit, in the selected view. */

import { Pane } from "./pane.js";

const ACCENT = "#17695f";
const GRIP = 13; // pixels of the screen, the radius of what is seen to be dragged

export class Portrait {
  /** `onSplit(share)` is told where the hand puts the line between before and after. */
  constructor(canvas, source, onSplit) {
    Object.assign(this, { canvas, view: "result", split: 0.5, close: false, photo: null, made: null });
    this.pane = new Pane(canvas);
    this.source = new Pane(source);
    let pointer = null; // that holds the line: another finger does not move it
    const drag = (event) => {
      if (this.view !== "compare" || event.pointerId !== pointer) return;
      const box = canvas.getBoundingClientRect();
      onSplit(Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1));
    };
    canvas.addEventListener("pointermove", drag);
    canvas.addEventListener("pointerdown", (event) => {
      if (pointer !== null) return;
      pointer = event.pointerId;
      canvas.setPointerCapture(pointer);
      drag(event);
    });
    canvas.addEventListener("lostpointercapture", (event) => {
      if (event.pointerId === pointer) pointer = null;
    });
  }

  /** Shows another photo; `place` is its part that changes: left, top, right, bottom in pixels. */
  open(photo, place, several) {
    Object.assign(this, { photo, place, several, made: null });
    this.paint();
  }

  /** What is asked of the server for this view. */
  get wanted() {
    return this.view === "compare" ? "result" : this.view;
  }

  /** Shows an edit; an image of another view than the selected one is dropped. */
  receive(view, image) {
    if (view !== this.wanted) return;
    this.made = { view, image };
    this.paint();
  }

  /** The part of the photo that is shown: left, top, width, height. */
  get region() {
    const [left, top, right, bottom] = this.close ? this.place : [0, 0, this.photo.width, this.photo.height];
    return [left, top, right - left, bottom - top];
  }

  paint() {
    if (!this.photo) return;
    const [left, top, width, height] = this.region;
    this.source.show(width, height, (context, unit) => {
      context.drawImage(this.photo, -left, -top);
      if (this.several && !this.close) this.frame(context, unit);
    });
    if (this.made && this.made.view !== this.wanted) return; // until it comes
    this.canvas.classList.toggle("divided", this.view === "compare");
    if (this.wanted === "result") {
      this.pane.show(width, height, (context, unit) => this.drawResult(context, unit));
    } else if (this.made) {
      const { image } = this.made;
      this.pane.show(image.width, image.height, (context) => context.drawImage(image, 0, 0));
    }
  }

  drawResult(context, unit) {
    const [left, top, width, height] = this.region;
    context.drawImage(this.photo, -left, -top);
    if (!this.made) return;
    const line = this.view === "compare" ? this.split * width : 0;
    context.save();
    context.beginPath();
    context.rect(line, 0, width - line, height);
    context.clip();
    context.drawImage(this.made.image, this.place[0] - left, this.place[1] - top);
    context.restore();
    if (this.view === "compare") this.drawLine(context, line, height, unit);
  }

  /** The line between before and after, with a grip. */
  drawLine(context, x, height, unit) {
    for (const [thickness, colour] of [[4, "rgba(10, 30, 32, 0.35)"], [2, "#fff"]]) {
      context.fillStyle = colour;
      context.fillRect(x - (thickness / 2) * unit, 0, thickness * unit, height);
    }
    context.translate(x, height / 2);
    context.scale(unit, unit);
    context.fill(new Path2D(`M${GRIP} 0A${GRIP} ${GRIP} 0 1 1 ${-GRIP} 0A${GRIP} ${GRIP} 0 1 1 ${GRIP} 0Z`));
    Object.assign(context, { lineWidth: 1.8, strokeStyle: ACCENT, lineCap: "round", lineJoin: "round" });
    context.stroke(new Path2D("M-3 -4L-7 0L-3 4M3 -4L7 0L3 4"));
  }

  /** Around the face that is edited, where the photo shows several. */
  frame(context, unit) {
    const [left, top, right, bottom] = this.place;
    for (const [thickness, colour] of [[4, "#fff"], [2, ACCENT]]) {
      Object.assign(context, { lineWidth: thickness * unit, strokeStyle: colour });
      context.strokeRect(left, top, right - left, bottom - top);
    }
  }
}
