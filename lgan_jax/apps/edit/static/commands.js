/** Everything that can be done, its keys, and the list of them that the help shows. */

const FIRST = [
  ["undo", "Ctrl Z", "Undo"],
  ["redo", "Ctrl Shift Z", "Redo"],
];
const LAST = [
  ["other_tab", "J", "The other tab"],
  ["help", "?", "This help"],
];

/** By tab, `[name, key, what it does]`; a key is written as it is shown. */
const COMMANDS = {
  landmarks: [
    ...FIRST,
    ["reset", "R", "Reset to the mean face"],
    ["mirror", "M", "Mirror the landmarks"],
    ["next", "N", "Next point"],
    ["previous", "P", "Previous point"],
    ["group", "G", "Next group of points"],
    ["nothing", "Esc", "Clear the selection"],
    ["tool", "Q", "Drag points, groups or a lasso"],
    ["slider", "K", "Next slider"],
    ["number", "1", "First person (2 the second, and so on)"],
    ["all", "0", "All people side by side"],
    ["convert", "F", "Fit landmarks to the person, or not"],
    ["constrain", ".", "Clamp fitted landmarks to the person's training range, or not"],
    ["other", "D", "Person to blend with"],
    ["first", "A", "Store as edit A"],
    ["second", "B", "Store as edit B"],
    ["between", "H", "Slider between A and B"],
    ["backdrop", "V", "Behind the landmarks: face, photo, plain"],
    ["opacity", "L", "Landmarks shown or hidden"],
    ["converted", "C", "Show fitted landmarks"],
    ["photo", "U", "Landmarks from a photo"],
    ["camera", "W", "Drive by the camera"],
    ["open", "O", "Open landmarks"],
    ["json", "S", "Save as JSON"],
    ["pts", "I", "Save as .pts"],
    ["png", "E", "Export the image"],
    ["keep", "T", "Add this edit to the strip"],
    ["drop", "Y", "Remove the last edit from the strip"],
    ["sheet", "X", "Save the strip as an image grid"],
    ["video", "Z", "Save the strip as a video"],
    ...LAST,
  ],
  expression: [
    ...FIRST,
    ["reset", "R", "Reset to the photo's expression"],
    ["face", "U", "Open a photo"],
    ["like", "O", "Expression of another photo"],
    ["slider", "K", "Next slider"],
    ["number", "1", "First expression (2 the second, and so on)"],
    ["next", "N", "Next expression"],
    ["previous", "P", "Previous expression"],
    ["strength", "H", "Strength of the expression"],
    ["view", "V", "Next view"],
    ["split", "D", "Line between before and after"],
    ["close", "C", "Whole photo, or the face alone"],
    ["picture", "E", "Export the photo"],
    ...LAST,
  ],
};

const EXTRA = {
  landmarks: [
    ["Arrows", "Move the selection (with Shift farther)"],
    ["Delete", "Reset the slider"],
  ],
  expression: [["Delete", "Reset the slider to the photo's value"]],
};

/** A page's keys and buttons (`data-command`), for the tab that is shown. */
export class Commands {
  constructor() {
    document.addEventListener("keydown", (event) => this.press(event));
    for (const button of document.querySelectorAll("[data-command]")) {
      button.addEventListener("click", () => {
        button.closest("details")?.removeAttribute("open");
        this.actions[button.dataset.command]?.();
      });
    }
  }

  /** From now on keys and buttons are those of a tab; `actions` are functions by the names of its commands. */
  serve(tab, actions) {
    this.actions = actions;
    this.byKey = new Map(COMMANDS[tab].map(([name, key]) => [key.toLowerCase(), name]));
    this.byKey.set("ctrl y", "redo");
    for (const button of document.querySelectorAll("[data-command]")) {
      const found = COMMANDS[tab].find(([name]) => name === button.dataset.command);
      if (found) button.title = `${found[2]} (${found[1]})`;
    }
    listKeys(document.getElementById("keys"), tab);
  }

  press(event) {
    if (event.altKey || event.target.matches?.("select, dialog *")) return;
    const name = this.byKey.get(written(event));
    const numbered = /^[1-9]$/.test(event.key) && !event.ctrlKey && !event.metaKey;
    const action = numbered ? this.actions.number?.bind(null, Number(event.key) - 1) : this.actions[name];
    if (!action) return;
    event.preventDefault();
    action();
  }
}

/** A key press as `COMMANDS` writes it, in small letters. */
function written(event) {
  const names = { escape: "esc" };
  const key = event.key.toLowerCase();
  if (!event.ctrlKey && !event.metaKey) return names[key] ?? key;
  return `ctrl ${event.shiftKey ? "shift " : ""}${key}`;
}

/** Writes a tab's keys into a definition list. */
function listKeys(list, tab) {
  list.replaceChildren();
  for (const [key, what] of [...COMMANDS[tab].map(([, key, what]) => [key, what]), ...EXTRA[tab]]) {
    const term = document.createElement("dt");
    for (const part of key.split(" ")) {
      const one = document.createElement("kbd");
      one.textContent = part;
      term.append(one);
    }
    const description = document.createElement("dd");
    description.textContent = what;
    list.append(term, description);
  }
}
