// Times, spans and numbers as people read them.

import { h } from "./dom.js";

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const dateTime = new Intl.DateTimeFormat(undefined, {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

/** Epoch ms of an RFC 3339 time, or of a number; null stays null. */
export function ms(time) {
  if (time === null || time === undefined) return null;
  return typeof time === "number" ? time : Date.parse(time);
}

export function utc(at) {
  return new Date(at).toISOString().replace("T", " ").replace(/\.000Z$|Z$/, " UTC");
}

/** Today's times without a date. */
export function local(at) {
  const date = new Date(at);
  return date.toDateString() === new Date().toDateString() ? clock.format(date) : dateTime.format(date);
}

/** A <time>: the local time, or with `ago` how long since; the UTC is in its title. */
export function time(value, { ago = false } = {}) {
  const at = ms(value);
  if (at === null) return h("span", { class: "muted" }, "never");
  return h(
    "time",
    { datetime: new Date(at).toISOString(), title: utc(at), data: ago ? { ago: at } : {} },
    ago ? since(at) : local(at),
  );
}

/** Let what says "12 s ago" go on saying so. */
export function keepAges() {
  for (const node of document.querySelectorAll("time[data-ago]")) {
    const text = since(Number(node.dataset.ago));
    if (node.textContent !== text) node.textContent = text;
  }
}

function since(at) {
  const age = Date.now() - at;
  if (age > 2 * DAY) return local(at);
  return age < -SECOND ? `in ${span(-age)}` : age < SECOND ? "now" : `${span(age)} ago`;
}

/** A span in its largest unit: "12 s", "3 min", "4 h", "2 d". */
export function span(length) {
  if (length < SECOND) return `${number(length)} ms`;
  if (length < 2 * MINUTE) return `${number(Math.round(length / 100) / 10)} s`.replace(/\.\d+ s$/, length < 10 * SECOND ? "$&" : " s");
  if (length < 2 * HOUR) return `${Math.round(length / MINUTE)} min`;
  if (length < 2 * DAY) return `${Math.round(length / HOUR)} h`;
  return `${Math.round(length / DAY)} d`;
}

/** Four digits that matter, with a minus sign and no exponent where none is needed. */
export function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) return value.toExponential(2).replace("-", "−");
  const digits = size >= 1000 ? 0 : 4;
  return new Intl.NumberFormat(undefined, digits
    ? { maximumSignificantDigits: digits }
    : { maximumFractionDigits: 0 }).format(value).replace("-", "−");
}

export function plural(count, one, many = `${one}s`) {
  return `${count === 1 ? "1" : number(count)} ${count === 1 ? one : many}`;
}

/** What an alert is about, in a person's words. */
export function subject(alert) {
  if (alert.kind === "silence") return "silence";
  return alert.metric === "*" ? "the device as a whole" : alert.metric;
}

/** Since when an alert goes on: it may have cleared and reopened after its onset. */
export const sinceOf = (alert) => alert.reopened_at ?? alert.onset;
