// Shortcuts. They can be turned off, and each has a way without them.

import { tell } from "./dialogs.js";
import { h } from "./dom.js";

const HELP = [
  ["g f", "to the fleet"],
  ["g a", "to the alerts"],
  ["/", "to the search"],
  ["j, k", "to the next row, the one before"],
  ["Enter", "open the row"],
  ["a", "acknowledge the row’s alert, or the one that is open"],
  ["s", "snooze it"],
  ["f", "give feedback on it"],
  ["?", "this"],
];
const DEEDS = { a: "acknowledge", s: "snooze", f: "feedback" };
let waiting = 0; // until when a g may be followed

function enabled() {
  return localStorage.getItem("weir.keys") !== "off";
}

export function showKeys() {
  const control = h("input", {
    type: "checkbox",
    checked: enabled(),
    onchange: () => localStorage.setItem("weir.keys", control.checked ? "on" : "off"),
  });
  tell(
    "Keyboard shortcuts",
    h("dl", { class: "keys" }, HELP.map(([key, what]) => h("div", {}, h("dt", {}, key.split(", ").map((one, index) => [index > 0 && " ", h("kbd", {}, one)])), h("dd", {}, what)))),
    h("label", {}, control, " Use shortcuts"),
  );
}

export function keys(event) {
  const { target, key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (target.closest("input, textarea, select") && key !== "Escape") return;
  if (key === "?") return take(event, showKeys);
  if (!enabled()) return;
  if (waiting > event.timeStamp) {
    waiting = 0;
    const to = { f: "#/", a: "#/alerts" }[key];
    if (to) return take(event, () => (location.hash = to));
  }
  if (key === "g") waiting = event.timeStamp + 1500;
  else if (key === "/") take(event, () => document.querySelector("[type=search]")?.focus());
  else if (key === "j") take(event, () => step(1));
  else if (key === "k") take(event, () => step(-1));
  else if (DEEDS[key]) take(event, () => act(target, DEEDS[key]));
}

function take(event, task) {
  event.preventDefault();
  task();
}

function step(by) {
  const rows = [...document.querySelectorAll("[data-row]")];
  const at = rows.indexOf(document.activeElement.closest("[data-row]"));
  const row = at < 0 ? rows[by > 0 ? 0 : rows.length - 1] : rows[at + by];
  row?.querySelector("a")?.focus();
}

/** In the row that has the focus; else, if there is but one alert on the page, its. */
function act(target, deed) {
  const found = (target.closest("[data-row]") ?? document).querySelectorAll(`[data-deed="${deed}"]`);
  if (found.length === 1) found[0].click();
}
