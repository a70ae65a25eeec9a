/** The tab "Expression": a photo, the action units that its face shall show, and the photo that the server makes. */

import { cycle, find, onFile } from "./controls.js";
import { save } from "./files.js";
import { Portrait } from "./portrait.js";
import { History } from "./shape.js";
import { UnitSliders, Usual } from "./units.js";
import { pack, post, postPhoto } from "./wire.js";

const NONE = -1; // no expression is chosen

/** Units between 0 and 1, as sliders can stand. */
const hundredths = (units) => Array.from(units, (unit) => Math.round(unit * 100) / 100);

export class Expression {
  /** `run` is what the server tells of the run, `page` what all tabs share. */
  constructor(run, page) {
    Object.assign(this, { run, page, file: null, sending: false, number: null, latest: NONE, own: run.units.map(() => 0) });
    this.portrait = new Portrait(find("result"), find("source"), (share) => this.divide(share));
    this.usual = new Usual(run.expressions, (index) => this.choose(index));
    this.sliders = new UnitSliders(run.units, {
      show: (index, value, when) => this.show({ ...this.history.shape, units: this.changed(index, value), usual: NONE }, when),
      keep: () => this.history.keep(),
      back: (index) => this.history.change({ ...this.history.shape, units: this.changed(index, this.own[index]), usual: NONE }),
    });
    this.answers = { expression: (...answer) => this.expressed(...answer) };
    this.begin();
    this.listen();
  }

  about() {
    return `${this.run.run} · ${this.run.size} px · ${this.run.units.length} action units`;
  }

  /** Whether the edit would be lost with the page. */
  get unsaved() {
    return this.history.unsaved;
  }

  /** A new history, which begins with what the photo shows. A shape is units, the expression they are of, its strength. */
  begin() {
    const shape = { units: this.own, usual: NONE, strength: 1 };
    this.history = new History(shape, () => this.update());
    this.update();
  }

  /** Shows a shape that is not yet kept; `when` the hand moved. */
  show(shape, when) {
    this.moved = when;
    this.history.show(shape);
  }

  /** The units with one of them elsewhere. */
  changed(index, value) {
    return this.history.shape.units.with(index, value);
  }

  /** Brings everything in line with the shape that is now shown, and asks for its image. */
  update() {
    const { units, usual, strength } = this.history.shape;
    this.sliders.update(units);
    this.usual.update(usual);
    find("strength").value = strength;
    document.querySelector("output[for=strength]").textContent = strength.toFixed(2);
    this.page.stepped(this);
    this.ask();
  }

  ask() {
    if (this.number === null || this.sending) return;
    const units = Float32Array.from(this.history.shape.units);
    this.page.ask("express", { view: this.portrait.wanted }, units, this.moved);
    this.moved = undefined;
  }

  async expressed(header, buffer, offset, started) {
    const image = await createImageBitmap(new Blob([buffer.slice(offset)], { type: header.type }));
    if (header.photo !== this.number || header.id < this.latest) return; // of a photo before, or overtaken
    this.latest = header.id;
    this.portrait.receive(header.view, image);
    this.page.timed(header, started);
  }

  /** An expression at the strength that is set. */
  choose(index) {
    if (this.number !== null) this.history.change(this.expressing(index, this.history.shape.strength));
  }

  expressing(index, strength) {
    const units = hundredths(this.run.expressions[index].units.map((unit) => strength * unit));
    return { units, usual: index, strength };
  }

  strengthen(strength, when) {
    const { shape } = this.history;
    this.show(shape.usual === NONE ? { ...shape, strength } : this.expressing(shape.usual, strength), when);
  }

  step(by) {
    const { usual } = this.history.shape;
    const count = this.run.expressions.length;
    this.choose(usual === NONE ? (by > 0 ? 0 : count - 1) : (usual + by + count) % count);
  }

  /** The page is connected, perhaps again: the server knows no photo of it. */
  async connected() {
    if (!this.file) return;
    this.sending = true;
    await this.page.attempt(() => this.send(this.file));
    this.sending = false;
    this.ask();
  }

  readFile(file) {
    return this.page.attempt(async () => {
      this.page.say("Detecting the face …");
      const { place, faces, photo } = await this.send(file);
      this.portrait.open(photo, place, Boolean(faces));
      find("invite").hidden = true;
      find("source-card").hidden = false;
      find("faces-seen").textContent = faces;
      this.enable();
      this.begin();
      this.page.say(faces || "The sliders show the estimated action units of this face");
    });
  }

  /** Has the server keep a photo for this page, and gives what it shows. */
  async send(file) {
    const query = { session: this.page.session };
    const { header, buffer, offset } = await postPhoto("expression/photo", file, this.page.run.most_bytes, query);
    const end = offset + 4 * this.run.units.length;
    const photo = await createImageBitmap(new Blob([buffer.slice(end)], { type: "image/jpeg" }));
    Object.assign(this, { file, number: header.photo, own: hundredths(new Float32Array(buffer.slice(offset, end))) });
    return { ...header, photo };
  }

  /** With a photo, everything can be used. */
  enable() {
    this.sliders.enable(true);
    this.sliders.mark(this.own);
    this.usual.enable(true);
    for (const control of document.querySelectorAll(".needs-photo")) control.disabled = false;
  }

  readLike(file) {
    return this.page.attempt(async () => {
      this.page.say("Detecting the face …");
      const { header, buffer, offset } = await postPhoto("expression/units", file, this.page.run.most_bytes);
      const units = hundredths(new Float32Array(buffer.slice(offset)));
      this.history.change({ ...this.history.shape, units, usual: NONE });
      this.page.say(header.faces || "Expression taken from the photo");
    });
  }

  export() {
    return this.page.attempt(async () => {
      this.page.say("Writing the file …");
      const frame = pack({}, Float32Array.from(this.history.shape.units));
      const response = await post("expression/export", frame, { session: this.page.session });
      const name = `${this.file.name.replace(/\.[^.]*$/, "")}-express.png`;
      save(name, await response.blob());
      this.history.save();
      this.page.say(`${name} saved`);
    });
  }

  divide(share) {
    this.portrait.split = share;
    find("split").value = share;
    this.portrait.paint();
  }

  see(view) {
    this.portrait.view = view;
    find("split").hidden = view !== "compare";
    find("close").disabled = this.portrait.wanted !== "result";
    this.portrait.paint();
    this.ask();
  }

  /** Shows before and after; the arrow keys then move the line between them. */
  compare() {
    document.querySelector("[name=view][value=compare]").click();
    find("split").focus();
  }

  /** By the names of the tab's commands; see commands.js. */
  actions() {
    const withPhoto = (work) => () => (this.number === null ? this.page.say("Open a photo first") : work());
    return {
      undo: () => this.history.undo(),
      redo: () => this.history.redo(),
      reset: withPhoto(() => this.history.change({ ...this.history.shape, units: this.own, usual: NONE })),
      face: () => find("face-file").click(),
      like: withPhoto(() => find("like-file").click()),
      slider: () => this.sliders.next(),
      number: (index) => index < this.run.expressions.length && this.choose(index),
      next: () => this.step(1),
      previous: () => this.step(-1),
      strength: () => find("strength").focus(),
      view: withPhoto(() => cycle("view")),
      split: withPhoto(() => this.compare()),
      close: withPhoto(() => find("close").click()),
      picture: withPhoto(() => this.export()),
    };
  }

  listen() {
    const on = (id, name, work) => find(id).addEventListener(name, work);
    onFile("face-file", (file) => this.readFile(file));
    onFile("like-file", (file) => this.readLike(file));
    on("strength", "input", (event) => this.strengthen(Number(event.target.value), event.timeStamp));
    on("strength", "change", () => this.history.keep());
    on("views", "change", (event) => this.see(event.target.value));
    on("split", "input", (event) => this.divide(Number(event.target.value)));
    on("close", "change", (event) => {
      this.portrait.close = event.target.checked;
      this.portrait.paint();
    });
  }
}
