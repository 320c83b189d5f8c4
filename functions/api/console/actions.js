// What people do with alerts. Nothing is shown as done before the API has said so.

import { post } from "./api.js";
import { ask, toast } from "./dialogs.js";
import { button, h } from "./dom.js";
import { DAY, HOUR, local, MINUTE, ms, subject } from "./format.js";

/** Tells whoever shows alerts that one is another now: `event.detail` is the alert. */
export const changes = new EventTarget();

export const VERDICTS = {
  true: ["True", "it was trouble, and worth an alert"],
  false: ["False", "nothing was wrong"],
  benign: ["Benign", "it was real, and of no concern"],
};

const SPANS = [["15 minutes", 15 * MINUTE], ["1 hour", HOUR], ["8 hours", 8 * HOUR], ["24 hours", DAY]];

const name = (alert) => `${alert.device_id}, ${subject(alert)}`;

async function change(alert, deed, body) {
  const answer = await post(`v1/alerts/${encodeURIComponent(alert.alert_id)}/${deed}`, body);
  changes.dispatchEvent(new CustomEvent("change", { detail: answer.alert }));
  return answer.alert;
}

export async function acknowledge(alert, note = "") {
  const done = await change(alert, "acknowledge", note ? { note } : {});
  toast(`Acknowledged: ${name(alert)}`);
  return done;
}

export async function snooze(alert) {
  const done = await askSnooze(`Snooze ${name(alert)}`, isSnoozed(alert), (body) => change(alert, "snooze", body));
  if (done) toast(isSnoozed(done) ? `Snoozed until ${local(ms(done.snoozed_until))}: ${name(alert)}` : `Snoozed no more: ${name(alert)}`);
}

export function isSnoozed(alert) {
  return alert.snoozed_until !== null && ms(alert.snoozed_until) > Date.now();
}

/** Ask for how long; `send(body)` does it, with {for_seconds} or {until}. */
export function askSnooze(title, snoozed, send) {
  const until = h("input", { type: "datetime-local", id: "until", name: "at" });
  const choices = SPANS.map(([label, length], index) => choice("span", length, label, "", index === 1));
  const own = choice("span", "until", "Until", "");
  until.addEventListener("input", () => (own.querySelector("input").checked = true));
  until.setAttribute("aria-label", "Until when");
  own.append(until);
  return ask(
    title,
    h("fieldset", {}, h("legend", {}, "Nobody is notified of it for so long. It stays on the list."), choices, own),
    {
      label: "Snooze",
      extra: snoozed ? [["End the snooze", () => send({ for_seconds: 0 })]] : [],
      send(form) {
        const chosen = new FormData(form).get("span");
        if (chosen !== "until") return send({ for_seconds: Number(chosen) / 1000 });
        const at = new Date(until.value);
        if (!(at > Date.now())) throw new Error("Give a time that is still to come");
        return send({ until: at.toISOString() });
      },
    },
  );
}

export async function feedback(alert) {
  const before = alert.feedback;
  const note = h("textarea", { id: "note", name: "note", rows: 3, maxlength: 500 });
  note.value = before?.note ?? "";
  const done = await ask(
    `Feedback on ${name(alert)}`,
    [
      h("fieldset", {}, h("legend", {}, "This alert was"), Object.entries(VERDICTS).map(([verdict, [word, meaning]]) =>
        choice("verdict", verdict, word, meaning, before?.verdict === verdict, true))),
      h("label", { for: "note" }, "Note (optional)"),
      note,
    ],
    {
      label: "Save",
      send: (form) => change(alert, "feedback", {
        verdict: new FormData(form).get("verdict"),
        ...(note.value.trim() ? { note: note.value.trim() } : {}),
      }),
    },
  );
  if (done) toast(`Feedback saved: ${name(alert)}`);
}

function choice(group, value, label, meaning, checked = false, required = false) {
  return h(
    "div", { class: "choice" },
    h("label", {}, h("input", { type: "radio", name: group, value, checked, required }), h("span", {}, h("strong", {}, label), meaning && ` – ${meaning}`)),
  );
}

/** Run a deed from a button, which does nothing more meanwhile and keeps the focus; trouble is said. */
export async function deed(control, task) {
  if (control.hasAttribute("aria-busy")) return;
  control.setAttribute("aria-busy", "true");
  try {
    await task();
  } catch (error) {
    toast(`Not done: ${error.message}`, { bad: true });
  } finally {
    control.removeAttribute("aria-busy");
  }
}

/** The buttons of an alert. */
export function buttons(alert) {
  const of = h("span", { class: "visually-hidden" }, ` ${name(alert)}`);
  const make = (key, label, task, more = {}) =>
    button([label, of.cloneNode(true)], (event) => deed(event.currentTarget, () => task(alert)), { data: { focus: key, deed: key }, ...more });
  return h(
    "div", { class: "deeds" },
    !alert.acknowledged && make("acknowledge", "Acknowledge", (given) => acknowledge(given), { class: alert.state === "OPEN" && "primary" }),
    make("snooze", isSnoozed(alert) ? "Snoozed" : "Snooze", snooze),
    make("feedback", "Feedback", feedback),
  );
}
