/** Edits that were kept, with a thumbnail each; a click brings one back. */

export class Strip {
  constructor(list, most, restore, onChange) {
    Object.assign(this, { list, most, restore, onChange, frames: [], unsaved: false });
    this.update();
  }

  /** Keeps a shape, its landmarks, and what is on a canvas. */
  add(shape, points, canvas) {
    if (this.frames.length === this.most) throw new Error(`a strip has at most ${this.most} edits`);
    const frame = { shape, points, item: document.createElement("li") };
    const image = document.createElement("canvas");
    image.width = image.height = 144;
    if (canvas) image.getContext("2d").drawImage(canvas, 0, 0, 144, 144);
    const show = this.button("frame", "Bring back this edit", () => this.restore(frame.shape));
    show.append(image);
    const remove = this.button("remove", "Take off the strip", () => this.remove(frame));
    remove.textContent = "×";
    frame.item.append(show, remove);
    this.frames.push(frame);
    this.unsaved = true;
    this.list.append(frame.item);
    this.update();
    frame.item.scrollIntoView({ block: "nearest", inline: "end" });
  }

  button(name, label, click) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = name;
    button.setAttribute("aria-label", label);
    button.addEventListener("click", click);
    return button;
  }

  remove(frame = this.frames.at(-1)) {
    if (!frame) return;
    this.frames = this.frames.filter((one) => one !== frame);
    frame.item.remove();
    this.update();
  }

  update() {
    this.unsaved &&= this.frames.length > 0;
    this.list.classList.toggle("empty", !this.frames.length);
    this.onChange(this.frames.length);
  }
}
