/** The tab "Landmarks": one edit, shown as landmarks on the canvas and as the faces that the server makes of it. */

import { Camera } from "./camera.js";
import { cycle, find, onFile, pressed } from "./controls.js";
import { Faces } from "./faces.js";
import * as files from "./files.js";
import { fillPeople, groupWords, showDistance, Sliders } from "./panels.js";
import { History, Shapes } from "./shape.js";
import { Stage } from "./stage.js";
import { Strip } from "./strip.js";
import { pack, post, postPhoto } from "./wire.js";

const LOCAL = ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname); // raw images cost nothing there

export class Landmarks {
  /** `run` is what the server tells of the run, `page` what all tabs share. */
  constructor(run, page) {
    Object.assign(this, { run, page });
    this.shapes = new Shapes(run);
    this.person = 0;
    this.photo = null;
    this.kept = { first: null, second: null };
    this.history = new History(this.shapes.resting(), () => this.changed());
    this.faces = new Faces(find("faces"), run, (person) => this.choosePerson(person));
    this.sliders = new Sliders(run, {
      show: (name, value, when) => this.show(this.shapes.set(this.history.shape, name, value), when),
      keep: () => this.history.keep(),
    });
    this.stage = new Stage(find("canvas"), run, {
      move: (indices, dx, dy, when) => this.show(this.shapes.moved(this.history.shape, indices, dx, dy), when),
      drop: () => this.history.keep(),
      choose: (indices) => this.describe(indices),
    });
    this.strip = new Strip(find("frames"), run.most_frames, (shape) => this.history.change(shape), (count) => {
      for (const name of ["sheet", "video"]) document.querySelector(`[data-command=${name}]`).disabled = !count;
    });
    fillPeople(run, (person) => this.choosePerson(person));
    this.answers = {
      image: (...answer) => this.received(...answer),
      face: (header, buffer, offset) => this.driven(new Float32Array(buffer, offset)),
      no_face: () => this.driven(null),
    };
    this.camera = new Camera(find("camera"), (jpeg) => page.ask("camera", {}, jpeg));
    this.listen();
    this.changed();
  }

  about() {
    return `${this.run.run} · ${this.run.size} px · ${this.run.scheme}`;
  }

  /** Shows a shape that is not yet kept; `when` the hand moved. */
  show(shape, when) {
    this.moved = when;
    this.history.show(shape);
  }

  /** Brings everything in line with the shape that is now shown, and asks for its faces. */
  changed() {
    const { shape } = this.history;
    this.stage.points = this.points = this.shapes.points(shape);
    this.stage.draw();
    this.sliders.update(shape.values);
    this.page.stepped(this);
    this.ask();
  }

  /** What the server is told of whose faces are wanted. */
  look() {
    const people = find("all").checked ? this.run.identities.map((_, i) => i) : [this.person];
    const other = find("other").value;
    const amount = Number(find("amount").value);
    const blend = other === "" || !amount ? null : { to: Number(other), amount };
    return { people, convert: find("convert").checked, constrain: find("constrain").checked, blend };
  }

  ask() {
    const look = this.look();
    this.faces.arrange(look.people, this.person);
    this.page.ask("render", { ...look, encoding: LOCAL ? "raw" : "jpeg" }, this.points, this.moved);
    this.moved = undefined;
  }

  async received(header, buffer, offset, started) {
    await this.faces.show(header, buffer, offset);
    const row = header.people.indexOf(this.person);
    const length = this.run.resting.length;
    const wanted = find("converted").checked && row >= 0;
    this.stage.fitted = wanted ? new Float32Array(buffer, offset + row * length * 4, length) : null;
    this.backdrop();
    this.stage.paint();
    showDistance(header.distance, header.clamped[Math.max(row, 0)]);
    this.page.timed(header, started);
  }

  backdrop() {
    const chosen = document.querySelector("[name=backdrop]:checked").value;
    this.stage.image = { face: this.faces.canvas(this.person), photo: this.photo, plain: null }[chosen] ?? null;
  }

  choosePerson(person) {
    if (person >= this.run.identities.length) return;
    this.person = person;
    find("people").querySelectorAll("input")[person].checked = true;
    this.ask();
  }

  describe(indices) {
    const { groups } = this.run;
    const whole = Object.keys(groups).find((name) => groups[name].length === indices.length && groups[name].every((i) => indices.includes(i)));
    const one = indices.length === 1 ? `${groupWords(this.stage.groupOf(indices[0]))}, point ${indices[0] + 1}` : null;
    find("chosen").textContent = one ?? (whole ? groupWords(whole) : indices.length ? `${indices.length} points` : "");
  }

  /** The page is connected, perhaps again. */
  connected() {
    this.ask();
  }

  /** Whether an edit or the strip would be lost with the page. */
  get unsaved() {
    return this.history.unsaved || this.strip.unsaved;
  }

  /** Another tab is shown now. */
  left() {
    if (this.camera.running) this.stopCamera();
  }

  /** What to do after the server refused something. */
  failed() {
    if (this.camera.running) this.stopCamera();
  }

  async readPhoto(file) {
    this.page.say("Detecting the face …");
    const { buffer, offset } = await postPhoto("landmarks/photo", file, this.page.run.most_bytes);
    const end = offset + this.run.resting.length * 4;
    this.photo = await createImageBitmap(new Blob([buffer.slice(end)], { type: "image/jpeg" }));
    const choice = document.querySelector("[name=backdrop][value=photo]");
    choice.disabled = false;
    this.history.change(this.shapes.fresh(new Float32Array(buffer.slice(offset, end))));
    this.page.say("Landmarks taken from the photo");
  }

  async readLandmarks(file) {
    const { points, framed } = files.parse(await file.text(), this.run);
    this.history.change(this.shapes.fresh(framed ? points : this.shapes.fitted(points)));
    this.history.save();
    this.page.say(framed ? `${file.name} opened` : `${file.name} belongs to another image; its points were fitted to this one`);
  }

  readFile(file) {
    return this.page.attempt(() => (/\.(json|pts)$/i.test(file.name) ? this.readLandmarks(file) : this.readPhoto(file)));
  }

  /** Asks the server for a file generated from landmarks, one set after the other, and saves it. */
  export(kind, name, ...sets) {
    return this.page.attempt(async () => {
      this.page.say("Writing the file …");
      const response = await post(`landmarks/export/${kind}`, pack(this.look(), ...sets));
      files.save(name, await response.blob());
      if (kind === "image") this.history.save();
      else this.strip.unsaved = false;
      this.page.say(`${name} saved`);
    });
  }

  /** Saves the landmarks as a file of the page's own making. */
  save(name, text, type) {
    files.save(name, text, type);
    this.history.save();
  }

  async toggleCamera() {
    if (this.camera.running) this.stopCamera();
    else {
      await this.page.attempt(() => this.camera.start());
      pressed("camera", this.camera.running);
    }
  }

  stopCamera() {
    this.camera.stop();
    pressed("camera", false);
    this.history.keep();
  }

  driven(points) {
    if (!this.camera.running) return;
    if (points) this.show({ base: points, values: this.history.shape.values });
    else this.page.say("No face is detected in the camera's image");
    this.camera.heard();
  }

  remember(which) {
    this.kept[which] = this.history.shape;
    pressed(which, true);
    find("between").disabled = !(this.kept.first && this.kept.second);
    find("between").value = which === "first" ? 0 : 1;
    this.page.say(`Stored as edit ${which === "first" ? "A" : "B"}`);
  }

  toggle(id) {
    find(id).click();
  }

  /** By the names of the tab's commands; see commands.js. */
  actions() {
    const { history, stage, shapes } = this;
    const name = () => `${this.run.run}-${this.run.identities[this.person]}`;
    const flat = () => this.strip.frames.map((frame) => frame.points);
    return {
      undo: () => history.undo(),
      redo: () => history.redo(),
      reset: () => history.change(shapes.resting()),
      mirror: () => history.change(shapes.mirrored(history.shape)),
      next: () => stage.stepPoint(1),
      previous: () => stage.stepPoint(-1),
      group: () => stage.stepGroup(),
      nothing: () => stage.choose([]),
      tool: () => cycle("tool"),
      slider: () => this.sliders.next(),
      number: (index) => this.choosePerson(index),
      all: () => this.toggle("all"),
      convert: () => this.toggle("convert"),
      constrain: () => this.run.constraint && this.toggle("constrain"),
      other: () => find("other").focus(),
      first: () => this.remember("first"),
      second: () => this.remember("second"),
      between: () => find("between").focus(),
      backdrop: () => cycle("backdrop"),
      opacity: () => this.fadeTo(stage.opacity ? 0 : 0.85),
      converted: () => this.toggle("converted"),
      photo: () => find("photo-file").click(),
      camera: () => this.toggleCamera(),
      open: () => find("landmark-file").click(),
      json: () => this.save(`${name()}.json`, files.toJson(this.points, this.run), "application/json"),
      pts: () => this.save(`${name()}.pts`, files.toPts(this.points, this.run), "text/plain"),
      png: () => this.export("image", `${name()}.png`, this.points),
      keep: () => this.page.attempt(() => this.strip.add(history.shape, this.points, this.faces.canvas(this.person))),
      drop: () => this.strip.remove(),
      sheet: () => flat().length && this.export("grid", `${this.run.run}-grid.png`, ...flat()),
      video: () => flat().length && this.export("video", `${this.run.run}-edits.mp4`, ...flat()),
    };
  }

  fadeTo(opacity) {
    this.stage.opacity = opacity;
    find("opacity").value = opacity;
    document.querySelector("output[for=opacity]").textContent = Math.round(opacity * 100);
    this.stage.draw();
  }

  listen() {
    const on = (id, name, work) => find(id).addEventListener(name, work);
    for (const id of ["all", "convert", "constrain", "converted"]) on(id, "change", () => this.ask());
    on("opacity", "input", (event) => this.fadeTo(Number(event.target.value)));
    on("other", "change", () => this.blendPeople());
    on("amount", "input", () => this.blendPeople());
    on("between", "input", (event) => this.show(this.shapes.between(this.kept.first, this.kept.second, Number(event.target.value)), event.timeStamp));
    on("between", "change", () => this.history.keep());
    on("tools", "change", (event) => (this.stage.tool = event.target.value));
    on("backdrops", "change", () => {
      this.backdrop();
      this.stage.draw();
    });
    for (const id of ["photo-file", "landmark-file"]) onFile(id, (file) => this.readFile(file));
    this.offerCamera();
  }

  async offerCamera() {
    document.querySelector("[data-command=camera]").hidden = !(await Camera.present());
  }

  blendPeople() {
    const amount = find("amount");
    amount.disabled = find("other").value === "";
    if (amount.disabled) amount.value = 0;
    document.querySelector("output[for=amount]").textContent = Math.round(amount.value * 100);
    this.ask();
  }
}
