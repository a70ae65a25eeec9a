/** The generated faces without landmarks: one, or all side by side. */

export class Faces {
  constructor(container, run, choose) {
    Object.assign(this, { container, run, choose, tiles: new Map() });
  }

  /** Lays out tiles for these people. */
  arrange(people, current) {
    const same = people.length === this.tiles.size && people.every((person) => this.tiles.has(person));
    if (!same) {
      this.tiles = new Map(people.map((person) => [person, this.tile(person)]));
      this.container.replaceChildren(...[...this.tiles.values()].map((tile) => tile.button));
      this.container.classList.toggle("many", people.length > 1);
    }
    for (const [person, tile] of this.tiles) tile.button.setAttribute("aria-pressed", String(person === current));
  }

  tile(person) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "tile";
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = this.run.size;
    const caption = document.createElement("span");
    caption.textContent = this.run.identities[person];
    button.append(canvas, caption);
    button.addEventListener("click", () => this.choose(person));
    return { button, canvas, context: canvas.getContext("2d") };
  }

  /** Shows an answer of the server. Images of people who are no longer shown are dropped. */
  async show(header, buffer, offset) {
    const size = this.run.size;
    let at = offset + header.people.length * this.run.resting.length * 4;
    for (const [i, person] of header.people.entries()) {
      const bytes = new Uint8ClampedArray(buffer, at, header.sizes[i]);
      at += header.sizes[i];
      const context = this.tiles.get(person)?.context;
      if (!context) continue;
      if (header.encoding === "raw") context.putImageData(new ImageData(bytes, size, size), 0, 0);
      else context.drawImage(await createImageBitmap(new Blob([bytes], { type: "image/jpeg" })), 0, 0);
    }
  }

  /** The canvas of a person's face, if it is shown. */
  canvas(person) {
    return this.tiles.get(person)?.canvas;
  }
}
