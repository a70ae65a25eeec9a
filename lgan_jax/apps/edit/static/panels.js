/** The controls beside the landmarks: sliders, people, and what the bar says. */

import { find, focusNext, markTrack, onSlide, sliderRow } from "./controls.js";

const WORDS = {
  yaw: "Turn",
  pitch: "Nod",
  roll: "Tilt",
  scale: "Size",
  mouth: "Mouth open",
  smile: "Smile",
  brow: "Brow raise",
  blink: "Blink",
};
const HEAD = ["yaw", "pitch", "roll", "scale"];
const PLAIN = { roll: { reach: 30, unit: "°" }, scale: { reach: 30, unit: "%" } }; // a similarity, not learned
const EDGE = 1; // distance of the 99th percentile of the training faces
const NEAR_EDGE = 0.8;

/** A range whose ends are whole hundredths, so that 0 is one of its steps. */
function whole({ least, most }) {
  return { least: Math.ceil(least * 100) / 100, most: Math.floor(most * 100) / 100 };
}

/** The sliders of head and expression. */
export class Sliders {
  /** `show(name, value)` while one moves, `keep()` when it rests. */
  constructor(run, { show, keep }) {
    this.inputs = {};
    const learned = Object.fromEntries(run.sliders.map((slider) => [slider.name, slider]));
    for (const name of Object.keys(WORDS)) {
      const plain = PLAIN[name];
      const range = plain ? { least: -plain.reach, most: plain.reach } : whole(learned[name]);
      const row = this.row(name, range, plain?.unit ?? "");
      find(HEAD.includes(name) ? "head-sliders" : "expression-sliders").append(row);
      const back = () => {
        show(name, 0, performance.now());
        keep();
      };
      onSlide(this.inputs[name], { show: (value, when) => show(name, value, when), keep, back });
    }
  }

  row(name, { least, most }, unit) {
    const { row, input, output } = sliderRow(name, WORDS[name], { min: least, max: most, step: unit ? 0.5 : 0.01 });
    output.dataset.unit = unit;
    if (least === most) {
      input.disabled = true;
      row.title = "The training faces hardly vary here";
    }
    markTrack(input, -least / (most - least || 1));
    this.inputs[name] = input;
    return row;
  }

  /** Puts every slider where a shape has it. */
  update(values) {
    for (const [name, input] of Object.entries(this.inputs)) {
      input.value = values[name];
      const { unit } = input.nextElementSibling.dataset;
      const shown = Math.round(values[name] * (unit ? 1 : 100)) || 0;
      const text = `${shown > 0 ? "+" : ""}${shown}${unit}`.replace("-", "−");
      input.nextElementSibling.textContent = text;
      input.setAttribute("aria-valuetext", text);
    }
  }

  /** Puts the focus on the next slider. */
  next() {
    focusNext(Object.values(this.inputs));
  }
}

/** The people to generate: one chip each, and the list of people to blend with. */
export function fillPeople(run, choose) {
  run.identities.forEach((name, i) => {
    const label = document.createElement("label");
    const input = document.createElement("input");
    const text = document.createElement("span");
    Object.assign(input, { type: "radio", name: "person", value: i, checked: i === 0 });
    text.textContent = name;
    label.append(input, text);
    input.addEventListener("change", () => choose(i));
    find("people").append(label);
    find("other").add(new Option(name, i));
  });
  find("other").add(new Option("nobody", "", true, true), 0);
  find("blend-people").hidden = run.identities.length < 2;
  find("all").closest("label").hidden = run.identities.length < 2;
  find("constrain").closest("label").hidden = !run.constraint;
}

/**
 * The bar that says how far the landmarks are from those of the training; its hatched part is the share `clamped` of
 * the edit that was held back.
 */
export function showDistance(distance, clamped) {
  const bar = find("coverage");
  const level = distance > EDGE ? "outside" : distance > NEAR_EDGE ? "edge" : "inside";
  bar.dataset.level = level;
  bar.querySelector(".fill").style.width = `${Math.min(distance / 2, 1) * 100}%`;
  bar.setAttribute("aria-valuenow", Math.min(distance, 2).toFixed(2));
  bar.querySelector(".clamped").style.width = `${clamped * 100}%`;
  const place = {
    inside: "Like the training faces",
    edge: "At the edge of the training faces",
    outside: "Past the training faces: expect artifacts",
  }[level];
  const held = Math.round(clamped * 100);
  const words = held ? `${place}; ${held} % of the edit is clamped` : place;
  bar.setAttribute("aria-valuetext", words);
  if (find("coverage-words").textContent !== words) find("coverage-words").textContent = words;
}

/** A group's name as people write it. */
export function groupWords(name) {
  return name.replaceAll("_", " ");
}
