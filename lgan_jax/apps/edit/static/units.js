/** The controls beside the photo: seventeen sliders, and the usual expressions. */

import { find, focusNext, markTrack, onSlide, sliderRow } from "./controls.js";

/** One slider for each action unit. */
export class UnitSliders {
  /** `show(index, value, when)` while one moves, `keep()` when it rests, `back(index)` to set it back. */
  constructor(units, { show, keep, back }) {
    this.sliders = units.map(({ number, name }, i) => {
      const slider = sliderRow(`unit-${number}`, name, { min: 0, max: 1, step: 0.01 });
      const figure = document.createElement("span");
      figure.className = "figures";
      figure.textContent = number;
      slider.row.classList.add("unit");
      slider.row.querySelector("label").prepend(figure, " ");
      onSlide(slider.input, { show: (value, when) => show(i, value, when), keep, back: () => back(i) });
      find("units").append(slider.row);
      return slider;
    });
    this.enable(false);
  }

  enable(yes) {
    for (const { input } of this.sliders) input.disabled = !yes;
  }

  /** Puts every slider where these units are. */
  update(units) {
    this.sliders.forEach(({ input, output }, i) => {
      input.value = units[i];
      output.textContent = units[i].toFixed(2);
    });
  }

  /** Marks what a photo shows. */
  mark(units) {
    this.sliders.forEach(({ input }, i) => markTrack(input, units[i]));
  }

  /** Puts the focus on the next slider. */
  next() {
    focusNext(this.sliders.map(({ input }) => input));
  }
}

/** A button for each of the usual expressions. */
export class Usual {
  constructor(expressions, choose) {
    this.buttons = expressions.map(({ name }, i) => {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: name, title: `${name} (${i + 1})`, disabled: true });
      button.addEventListener("click", () => choose(i));
      find("usual").append(button);
      return button;
    });
  }

  enable(yes) {
    for (const button of this.buttons) button.disabled = !yes;
  }

  /** Shows which one is chosen; -1 for none. */
  update(chosen) {
    this.buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === chosen)));
  }
}
