// Tables that become cards on a narrow screen. The roles are spelled out, since a table that is
// laid out as something else loses its own.

import { buttons, isSnoozed, VERDICTS } from "./actions.js";
import { badge, h, icon, Keyed } from "./dom.js";
import { local, ms, number, sinceOf, span, time } from "./format.js";

export function table(label, columns, keyOf, row) {
  const body = h("tbody", { role: "rowgroup" });
  const cells = (item) => row(item).map((content, index) =>
    h("td", { role: "cell", data: { label: columns[index] }, class: columns[index] ? undefined : "plain" }, h("div", {}, content)));
  const rows = new Keyed(body, keyOf, (item) => h("tr", { role: "row", data: { row: keyOf(item) } }, cells(item)));
  const node = h(
    "table", { role: "table", "aria-label": label },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, columns.map((name) =>
      h("th", { role: "columnheader", scope: "col" }, name || h("span", { class: "visually-hidden" }, "Actions"))))),
    body,
  );
  return { node, show: (items, more) => rows.show(items, more) };
}

export function alertTable(label, { device = true, state = true } = {}) {
  const columns = ["Severity", ...(device ? ["Device"] : []), "Alert", "Since", ...(state ? ["State"] : []), ""];
  const shown = table(label, columns, (alert) => alert.alert_id, (alert) => [
    badge(alert.severity),
    ...(device ? [h("a", { href: deviceAddress(alert.device_id), data: { focus: "device" } }, alert.device_id)] : []),
    [h("a", { href: alertAddress(alert), class: "strong", data: { focus: "alert" } }, title(alert)), h("p", { class: "because" }, alert.because)],
    [time(sinceOf(alert)), reopening(alert), h("p", { class: "hint" }, course(alert))],
    ...(state ? [standing(alert)] : []),
    buttons(alert),
  ]);
  // A snooze ends without a change of the alert.
  return { node: shown.node, show: (alerts) => shown.show(alerts, alerts.map(isSnoozed).join()) };
}

export function title(alert) {
  return alert.kind === "silence" ? "Silent" : alert.metric === "*" ? "Device as a whole" : alert.metric;
}

/** How many alerts a device has open, and how severe the worst of them is. */
export function worstOf({ open_alerts: count, worst_severity: worst }) {
  return `${number(count)} ${worst === null ? "open" : count > 1 ? `open, the worst ${worst}` : worst}`;
}

export const alertAddress = (alert) => `#/alerts/${encodeURIComponent(alert.alert_id)}`;
export const deviceAddress = (id) => `#/devices/${encodeURIComponent(id)}`;

/** How long it went on; null while it does. */
export function lasted(alert) {
  const end = ms(alert.ended_at);
  return end === null ? null : span(Math.max(end - ms(sinceOf(alert)), 0));
}

function course(alert) {
  const words = [lasted(alert) && `lasted ${lasted(alert)}`, alert.kind !== "silence" && `highest score ${number(alert.peak)}`];
  return words.filter(Boolean).join(", ");
}

function reopening(alert) {
  return alert.reopened_at && h("p", { class: "hint" }, "reopened, first ", time(alert.onset));
}

/** Where an alert stands, in words: the anomaly's side and the people's. */
export function standing(alert) {
  const marks = [
    h("span", { class: `mark ${alert.state === "OPEN" ? "open" : ""}` }, alert.withdrawn ? "Withdrawn" : alert.state === "OPEN" ? "Open" : "Cleared"),
    alert.reopened_at && h("span", { class: "mark" }, "Reopened"),
    alert.acknowledged
      ? h("span", { class: "mark", title: `by ${alert.acknowledged_by}` }, icon("done"), "Acknowledged")
      : h("span", { class: "mark wants" }, "Not acknowledged"),
    isSnoozed(alert) && h("span", { class: "mark" }, icon("snoozed"), `Snoozed until ${local(ms(alert.snoozed_until))}`),
    alert.feedback && h("span", { class: "mark" }, `Feedback: ${VERDICTS[alert.feedback.verdict][0].toLowerCase()}`),
  ];
  return h("div", { class: "marks" }, marks);
}

