/** The page: what its tabs share, and which of them is shown. */

import { Commands } from "./commands.js";
import { find } from "./controls.js";
import { Expression } from "./expression.js";
import { Landmarks } from "./landmarks.js";
import { address, Link } from "./wire.js";

const TABS = { landmarks: Landmarks, expression: Expression };
const NAMES = Object.keys(TABS);

class Page {
  constructor(run) {
    this.run = run;
    this.session = "";
    this.commands = new Commands();
    this.tabs = {};
    for (const name of NAMES.filter((one) => run[one])) this.tabs[name] = new TABS[name](run[name], this);
    const tabs = Object.values(this.tabs);
    this.link = new Link({
      ...Object.assign({}, ...tabs.map((tab) => tab.answers)),
      welcome: ({ session }) => {
        this.session = session;
        find("main").ariaBusy = "false";
        for (const tab of tabs) tab.connected();
      },
      refused: ({ message }) => this.say(message, true, Infinity),
      error: ({ message }) => {
        this.say(message, true);
        for (const tab of tabs) tab.failed?.();
      },
      state: (connected, ever) => this.connected(connected, ever),
      waiting: (yes) => (find("timing").ariaBusy = String(yes)),
    });
    this.listen();
    const asked = location.hash.slice(1);
    this.show(asked in TABS ? asked : NAMES.find((name) => name in this.tabs));
  }

  /** Shows a tab; one without a run says how to get it. */
  show(name) {
    if (this.shown && this.shown !== name) this.tabs[this.shown]?.left?.();
    this.shown = name;
    for (const one of NAMES) {
      const chosen = one === name;
      Object.assign(find(`${one}-tab`), { ariaSelected: String(chosen), tabIndex: chosen ? 0 : -1 });
      find(one).hidden = !chosen;
      find(`${one}-content`).hidden = !(one in this.tabs);
      find(`${one}-missing`).hidden = one in this.tabs;
    }
    for (const part of document.querySelectorAll("[data-tab]")) part.classList.toggle("elsewhere", part.dataset.tab !== name);
    const tab = this.tabs[name];
    document.body.classList.toggle("missing", !tab);
    find("about").textContent = tab?.about() ?? "";
    const shared = { other_tab: () => this.show(NAMES[1 - NAMES.indexOf(name)]), help: () => find("help").showModal() };
    this.commands.serve(name, { ...tab?.actions(), ...shared });
    if (tab) this.stepped(tab);
    window.history.replaceState(null, "", `#${name}`);
  }

  /** Brings the buttons in line with what can be undone in a tab, if it is shown. */
  stepped(tab) {
    if (tab !== this.tabs[this.shown]) return;
    document.querySelector("[data-command=undo]").disabled = !tab.history.past.length;
    document.querySelector("[data-command=redo]").disabled = !tab.history.future.length;
  }

  /** Asks the server for something; see `Link.ask`. */
  ask(...request) {
    this.link?.ask(...request);
  }

  /** Shows a line for so many milliseconds, by default a problem longer than others. */
  say(text, problem = false, time = problem ? 10_000 : 5000) {
    const line = find("message");
    line.textContent = text;
    line.classList.toggle("problem", problem);
    clearTimeout(this.fade);
    if (text && time < Infinity) this.fade = setTimeout(() => this.say(""), time);
  }

  /** Runs something that may fail, and says so. */
  async attempt(work) {
    try {
      await work();
    } catch (error) {
      this.say(error.message, true);
    }
  }

  /** Shows how long an answer took since the hand moved. */
  timed(header, started) {
    const spent = performance.now() - started;
    const timing = find("timing");
    Object.assign(timing.dataset, { id: header.id, roundTrip: spent.toFixed(2), network: header.network_ms });
    timing.textContent = `${Math.round(spent)} ms, of which network ${Math.round(header.network_ms)} ms`;
  }

  /** Shows whether the socket is open; `ever` says whether it was before. */
  connected(yes, ever) {
    if (!yes) {
      const why = ever ? "The server does not answer" : "No socket can be opened: a proxy on the way must pass WebSockets on";
      this.say(`${why}; trying again`, true);
      find("main").ariaBusy = "true";
    } else if (this.lost) this.say("Connected again");
    this.lost = !yes;
  }

  listen() {
    for (const name of NAMES) find(`${name}-tab`).addEventListener("click", () => this.show(name));
    find("tabs").addEventListener("keydown", (event) => {
      if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
      this.commands.actions.other_tab();
      find(`${this.shown}-tab`).focus();
    });
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      const [file] = event.dataTransfer.files;
      if (file) this.tabs[this.shown]?.readFile(file);
      else this.say("Only files can be dropped: save the image of the other page first, then drop its file here", true);
    });
    window.addEventListener("beforeunload", (event) => {
      if (Object.values(this.tabs).some((tab) => tab.unsaved)) event.preventDefault(); // the browser then asks
    });
    document.addEventListener("click", (event) => {
      for (const menu of document.querySelectorAll("details.menu")) if (!menu.contains(event.target)) menu.removeAttribute("open");
    });
  }
}

async function open() {
  const response = await fetch(address("run"));
  if (!response.ok) throw new Error(await response.text());
  new Page(await response.json());
}

open().catch((error) => {
  find("message").textContent = error.message;
  find("message").classList.add("problem");
});
