// The list of alerts. Its filters are in the address.

import { get } from "./api.js";
import { changes } from "./actions.js";
import { button, fill, h, pair } from "./dom.js";
import { plural, SECOND } from "./format.js";
import { alertTable } from "./tables.js";

const PACE = 3 * SECOND;
const PAGE = 50;
const MOST = 500;
const ASKS = 5; // what is rare may take many answers to find
const SEVERITIES = ["critical", "major", "minor"];

export function alertsPage(main, context) {
  const filters = filterForm(context.query);
  const list = alertTable("Alerts");
  const note = h("p", { class: "hint", role: "status" });
  const empty = h("p", { class: "empty" });
  const touched = new Map(); // what was acted on here stays in sight, whatever the filter says
  let limit = PAGE;
  let found = [];
  empty.hidden = list.node.hidden = true;
  const more = button("Show more", () => {
    limit = Math.min(limit + PAGE, MOST);
    return poller.now();
  });
  more.hidden = true;
  fill(main, h("h1", { tabindex: -1 }, "Alerts"), filters, h("section", { class: "panel", "aria-label": "Alerts found" }, note, list.node, empty, h("div", { class: "pages" }, more)));

  function show() {
    const known = new Set(found.map((alert) => alert.alert_id));
    const alerts = [...found, ...[...touched.values()].filter((alert) => !known.has(alert.alert_id))]
      .map((alert) => newest(alert, touched.get(alert.alert_id)))
      .sort((a, b) => (a.onset < b.onset ? 1 : a.onset > b.onset ? -1 : a.alert_id < b.alert_id ? -1 : 1));
    list.show(alerts);
    list.node.hidden = !alerts.length;
    empty.hidden = alerts.length > 0;
    fill(note, alerts.length ? `${plural(alerts.length, "alert")}${more.hidden ? "" : ", and more"}` : "");
    if (!alerts.length) fill(empty, nothing(context.query));
  }
  const poller = context.poll(PACE, async (signal) => {
    const alerts = [];
    let cursor = "";
    let asks = 0;
    do {
      const query = { ...asked(context.query), limit: Math.min(limit - alerts.length, 100), cursor };
      const page = await get("v1/alerts", { query, signal });
      alerts.push(...page.alerts);
      cursor = page.next_cursor ?? "";
      asks += 1;
    } while (cursor && alerts.length < limit && asks < ASKS);
    found = alerts;
    more.hidden = !cursor || limit >= MOST;
    show();
  });
  const took = ({ detail }) => {
    const { history, ...alert } = detail;
    touched.set(alert.alert_id, alert);
    show();
  };
  changes.addEventListener("change", took);
  context.onLeave(() => changes.removeEventListener("change", took));
}

/** Of what the list says and what a deed was answered, the one with more transitions. */
function newest(listed, answered) {
  return answered && answered.transitions > listed.transitions ? answered : listed;
}

function asked(query) {
  return {
    state: query.get("state") ?? "open",
    severity: query.get("severity"),
    device_id: query.get("device"),
    acknowledged: query.get("acknowledged"),
  };
}

function filterForm(query) {
  const severities = (query.get("severity") ?? "").split(",").filter(Boolean);
  const select = (id, label, options, value) =>
    pair(id, label, h("select", { id, name: id }, options.map(([key, word]) => h("option", { value: key, selected: key === value }, word))));
  const form = h(
    "form",
    {
      class: "filters", role: "search", "aria-label": "Filter the alerts",
      onchange: () => go(form),
      onsubmit(event) {
        event.preventDefault();
        go(form);
      },
    },
    select("state", "State", [["open", "open"], ["cleared", "cleared"], ["all", "open and cleared"]], query.get("state") ?? "open"),
    select("acknowledged", "Acknowledged", [["", "either"], ["false", "no"], ["true", "yes"]], query.get("acknowledged") ?? ""),
    h("fieldset", { class: "inline" }, h("legend", {}, "Severity"), SEVERITIES.map((name) =>
      h("label", {}, h("input", { type: "checkbox", id: `severity-${name}`, name: "severity", value: name, checked: severities.includes(name) }), ` ${name}`))),
    pair("device", "Device", h("input", { type: "search", id: "device", name: "device", value: query.get("device") ?? "", placeholder: "its whole id", autocomplete: "off", spellcheck: "false" })),
  );
  return form;
}

function go(form) {
  const given = new FormData(form);
  const query = new URLSearchParams();
  if (given.get("state") !== "open") query.set("state", given.get("state"));
  for (const name of ["acknowledged", "device"]) if (given.get(name).trim()) query.set(name, given.get(name).trim());
  const severities = given.getAll("severity");
  if (severities.length && severities.length < SEVERITIES.length) query.set("severity", severities.join(","));
  const address = `#/alerts${query.size ? `?${query}` : ""}`;
  const focused = document.activeElement?.id;
  if (address === location.hash) return;
  addEventListener("hashchange", () => focused && document.getElementById(focused)?.focus(), { once: true });
  location.hash = address;
}

function nothing(query) {
  if ([...query.keys()].some((name) => name !== "state")) return ["No alert is like that. ", h("a", { href: "#/alerts?state=all" }, "Show all alerts")];
  if ((query.get("state") ?? "open") === "open") return ["No alert is open. ", h("a", { href: "#/alerts?state=all" }, "Show those that cleared")];
  return "There has been no alert. Detectors learn from some hundred readings of a metric before they say anything.";
}
