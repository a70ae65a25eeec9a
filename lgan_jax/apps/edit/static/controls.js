/** Small things that both tabs do with the page's controls. */

export const find = (id) => document.getElementById(id);

/** Marks the button of a command as pressed, or not. */
export function pressed(command, yes) {
  document.querySelector(`[data-command=${command}]`).setAttribute("aria-pressed", String(yes));
}

/** Chooses the next of a group of radio buttons. */
export function cycle(name) {
  const choices = [...document.querySelectorAll(`[name=${name}]:enabled`)];
  choices[(choices.findIndex((choice) => choice.checked) + 1) % choices.length].click();
}

/** Has `read` called with each file that a file input is given. */
export function onFile(id, read) {
  find(id).addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (file) await read(file);
    event.target.value = "";
  });
}

/** A row with a label, a slider and its value. */
export function sliderRow(id, text, { min, max, step }) {
  const row = document.createElement("div");
  row.className = "row";
  const label = document.createElement("label");
  const input = document.createElement("input");
  const output = document.createElement("output");
  Object.assign(input, { type: "range", id, min, max, step, value: 0 });
  label.htmlFor = output.htmlFor = id;
  label.textContent = text;
  row.append(label, input, output);
  return { row, input, output };
}

/** `show(value, when)` while a slider moves, `keep()` when it rests, `back()` to set it back. */
export function onSlide(input, { show, keep, back }) {
  input.addEventListener("input", (event) => show(Number(input.value), event.timeStamp));
  input.addEventListener("change", keep);
  input.addEventListener("dblclick", back);
  input.addEventListener("keydown", (event) => ["Delete", "Backspace"].includes(event.key) && back());
}

/** Puts a mark on a slider's track, at a share of its length. */
export function markTrack(input, share) {
  input.style.setProperty("--zero", `calc(8px + ${share} * (100% - 16px))`); // the thumb is 16 pixels wide
}

/** Puts the focus on the slider after the one that has it. */
export function focusNext(inputs) {
  const usable = inputs.filter((input) => !input.disabled);
  if (usable.length) usable[(usable.indexOf(document.activeElement) + 1) % usable.length].focus();
}
