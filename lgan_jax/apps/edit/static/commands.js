/** Everything that can be done, its keys, and the list of them that the help shows. */

/** `[name, key, what it does]`; a key is written as it is shown. */
export const COMMANDS = [
  ["undo", "Ctrl Z", "Undo"],
  ["redo", "Ctrl Shift Z", "Redo"],
  ["reset", "R", "Back to the resting face"],
  ["mirror", "M", "Mirror the landmarks"],
  ["next", "N", "Next point"],
  ["previous", "P", "Previous point"],
  ["group", "G", "Next group of points"],
  ["nothing", "Esc", "Choose nothing"],
  ["tool", "Q", "Drag points, groups or a lasso"],
  ["slider", "K", "Next slider"],
  ["person", "1", "First person (2 the second, and so on)"],
  ["all", "0", "All people side by side"],
  ["convert", "F", "Fit landmarks to the person, or not"],
  ["other", "D", "Person to blend with"],
  ["first", "A", "Remember as edit A"],
  ["second", "B", "Remember as edit B"],
  ["between", "H", "Slider between A and B"],
  ["backdrop", "V", "Behind the landmarks: face, photo, plain"],
  ["opacity", "L", "Landmarks shown or hidden"],
  ["converted", "C", "Show fitted landmarks"],
  ["photo", "U", "Landmarks from a photo"],
  ["camera", "W", "Drive by the camera"],
  ["open", "O", "Open landmarks"],
  ["json", "S", "Save as JSON"],
  ["pts", "I", "Save as .pts"],
  ["png", "E", "Export the picture"],
  ["keep", "T", "Keep this edit in the strip"],
  ["drop", "Y", "Take the last edit off the strip"],
  ["sheet", "X", "Save the strip as a sheet"],
  ["video", "Z", "Save the strip as a video"],
  ["help", "?", "This help"],
];

const EXTRA = [
  ["Arrows", "Move what is chosen (with Shift farther)"],
  ["Delete", "Set the slider back"],
];

/** Binds keys and buttons (`data-command`) to `actions`, functions by the names of `COMMANDS`. */
export function bind(actions) {
  const byKey = new Map(COMMANDS.map(([name, key]) => [key.toLowerCase(), name]));
  byKey.set("ctrl y", "redo");
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.target.matches?.("select, dialog *")) return;
    const name = byKey.get(written(event));
    if (name) {
      event.preventDefault();
      actions[name]();
    } else if (/^[1-9]$/.test(event.key) && !event.ctrlKey && !event.metaKey) actions.person(Number(event.key) - 1);
  });
  for (const button of document.querySelectorAll("[data-command]")) {
    const [, key, what] = COMMANDS.find(([name]) => name === button.dataset.command);
    button.title = `${what} (${key})`;
    button.addEventListener("click", () => {
      button.closest("details")?.removeAttribute("open");
      actions[button.dataset.command]();
    });
  }
}

/** A key press as `COMMANDS` writes it, in small letters. */
function written(event) {
  const names = { escape: "esc" };
  const key = event.key.toLowerCase();
  if (!event.ctrlKey && !event.metaKey) return names[key] ?? key;
  return `ctrl ${event.shiftKey ? "shift " : ""}${key}`;
}

/** Writes the keys into a definition list. */
export function listKeys(list) {
  for (const [key, what] of [...COMMANDS.map(([, key, what]) => [key, what]), ...EXTRA]) {
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
