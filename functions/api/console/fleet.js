// The fleet: how it is, what wants eyes, and its devices.

import { get } from "./api.js";
import { badge, button, fill, h, icon, pair, svg } from "./dom.js";
import { changes, isSnoozed } from "./actions.js";
import { HOUR, local, ms, number, plural, SECOND, span, time } from "./format.js";
import { alertTable, deviceAddress, table, worstOf } from "./tables.js";

const OVERVIEW = 5 * SECOND;
const DEVICES = 5 * SECOND;
const ALERTS = 3 * SECOND;
const PAGE = 50;
const WANTED = 5;

export function fleetPage(main, context) {
  const tiles = h("div", { class: "tiles" });
  const rate = h("div", { class: "rate" });
  let overview = null;
  let settled = false; // all is there, and moves no more
  let listed = null; // {alerts, complete}: those that are open and not acknowledged
  const show = () => {
    if (!overview) return;
    const sums = { ...overview, alerts: noOlder(overview.alerts, listed) };
    showTiles(tiles, sums);
    devices.count(sums);
    if (context.query.get("state") && listed && devices.isShown() && !settled) devices.parts[0].scrollIntoView(); // it was asked for
    settled ||= listed && devices.isShown();
  };
  const wanted = attention(context, (alerts, complete) => {
    listed = { alerts, complete };
    if (overview && complete && alerts.length !== overview.alerts.unacknowledged) poller.now();
    show();
  });
  const devices = deviceList(context, show);
  fill(
    main,
    h("h1", { tabindex: -1 }, "Fleet"),
    h("section", { "aria-labelledby": "now" }, h("h2", { id: "now", class: "visually-hidden" }, "Now"), tiles),
    h("div", { class: "columns" },
      h("section", { class: "panel", "aria-labelledby": "attention" }, h("h2", { id: "attention" }, "Wants attention"), wanted),
      h("section", { class: "panel", "aria-labelledby": "rate" }, h("h2", { id: "rate" }, "Alerts opened, last 24 hours"), rate)),
    h("section", { class: "panel", "aria-labelledby": "devices" }, h("h2", { id: "devices" }, "Devices"), devices.parts),
  );
  const poller = context.poll(OVERVIEW, async (signal) => {
    overview = await get("v1/overview", { signal });
    showRate(rate, overview.alerts.per_hour);
    show();
  });
}

/** The overview's counts of alerts, which may be some seconds old: no fewer than are listed below. */
function noOlder(counts, listed) {
  if (!listed) return counts;
  const { alerts, complete } = listed;
  const unacknowledged = complete ? alerts.length : Math.max(counts.unacknowledged, alerts.length);
  const severities = Object.entries(counts.by_severity).map(([name, count]) =>
    [name, Math.max(count, alerts.filter(({ severity }) => severity === name).length)]);
  return { ...counts, unacknowledged, open: counts.open + Math.max(unacknowledged - counts.unacknowledged, 0), by_severity: Object.fromEntries(severities) };
}

function showTiles(parent, { devices, alerts, readings_per_second: perSecond, truncated }) {
  const sorts = Object.entries(alerts.by_severity).reverse().filter(([, count]) => count);
  const at = truncated ? "at least " : "";
  const tile = (label, value, href, foot, tone = "") =>
    h(href ? "a" : "div", { class: "tile", href, data: href ? { focus: label } : {} }, h("span", { class: "label" }, label), h("strong", {}, at, value), h("span", { class: `foot ${tone}` }, foot));
  const share = (state) => [icon(state), ` of ${number(devices.total)}`];
  fill(
    parent,
    tile("Devices", number(devices.total), "#/", "all that were heard"),
    tile("Reporting", number(devices.reporting), "#/?state=reporting", share("reporting"), "reporting"),
    tile("Silent", number(devices.silent), "#/?state=silent", share("silent"), "silent"),
    tile("Alerting", number(devices.alerting), "#/?state=alerting", share("alerting"), "alerting"),
    tile("Open alerts", number(alerts.open), "#/alerts", sorts.length ? sorts.map(([name, count]) => badge(name, `${count} ${name}`)) : "none"),
    tile("Not acknowledged", number(alerts.unacknowledged), "#/alerts?acknowledged=false", "of the open ones"),
    tile("Readings", [number(perSecond), h("small", {}, "/s")], null, "by the cadence of those that report"),
  );
}

/** Bars, one an hour, with the same in a table. */
function showRate(parent, hours) {
  const most = Math.max(...hours.map((hour) => hour.opened), 1);
  const total = hours.reduce((sum, hour) => sum + hour.opened, 0);
  const [width, height] = [240, 64];
  const step = width / hours.length;
  const worst = hours.reduce((a, b) => (b.opened > a.opened ? b : a), hours[0]);
  const [begins, ends] = [ms(worst.hour), ms(worst.hour) + HOUR].map((at) => local(at).replace(/:00$/, ""));
  const summary = total
    ? `${plural(total, "alert")} in 24 hours; the most in one hour: ${worst.opened}, between ${begins} and ${ends}.`
    : "No alert was opened in the last 24 hours.";
  const bars = hours.map((hour, index) => {
    const tall = hour.opened ? Math.max((hour.opened / most) * (height - 4), 3) : 1;
    return svg("rect", { x: index * step + 1, y: height - tall, width: step - 2, height: tall, rx: 1, class: hour.opened ? "bar-on" : "bar-off" },
      svg("title", {}, `${local(ms(hour.hour))}: ${hour.opened}`));
  });
  const open = parent.querySelector("details")?.open;
  fill(
    parent,
    svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", class: "bars", role: "img", "aria-label": summary }, bars),
    h("div", { class: "scale hint", "aria-hidden": "true" }, h("span", {}, "24 h ago"), h("span", {}, "now")),
    h("p", { class: "hint" }, summary),
    h("details", { open }, h("summary", { data: { focus: "rate" } }, "As a table"),
      h("table", { class: "small" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Hour from"), h("th", { scope: "col" }, "Opened"))),
        h("tbody", {}, hours.map((hour) => h("tr", {}, h("td", {}, time(hour.hour)), h("td", {}, number(hour.opened))))))),
  );
}

function attention(context, listed) {
  const list = alertTable("Open alerts that nobody has acknowledged", { state: false });
  const empty = h("p", { class: "empty" }, "Nothing: no alert is open that nobody has acknowledged or snoozed.");
  const more = h("p", { class: "hint" });
  const place = h("div", {}, empty, list.node, more);
  empty.hidden = list.node.hidden = more.hidden = true;
  const poller = context.poll(ALERTS, async (signal) => {
    const query = { state: "open", acknowledged: "false", limit: 100 };
    const { alerts, next_cursor: next } = await get("v1/alerts", { query, signal });
    const order = { critical: 0, major: 1, minor: 2 };
    const awake = alerts.filter((alert) => !isSnoozed(alert));
    const worst = awake.toSorted((a, b) => order[a.severity] - order[b.severity]).slice(0, WANTED);
    list.show(worst);
    empty.hidden = worst.length > 0;
    list.node.hidden = !worst.length;
    more.hidden = alerts.length <= worst.length;
    fill(more, h("a", { href: "#/alerts?acknowledged=false", data: { focus: "more" } }, `All ${next ? "" : number(alerts.length)} that are open and not acknowledged, the snoozed among them`));
    listed(alerts, !next);
  });
  const again = () => poller.now();
  changes.addEventListener("change", again);
  context.onLeave(() => changes.removeEventListener("change", again));
  return place;
}

function deviceList(context, shown) {
  const before = []; // the cursors of the pages before this one
  let cursor = "";
  let next = null;
  let prefix = "";
  let state = context.query.get("state") ?? "";
  let typed = 0;
  const list = table("Devices", ["Device", "State", "Last reading", "Comes every", "Scored", "Open alerts"], (device) => device.device_id, (device) => [
    h("a", { href: deviceAddress(device.device_id), class: "strong", data: { focus: "device" } }, device.device_id),
    badge(device.state),
    time(device.last_reading, { ago: true }),
    device.cadence_s === null ? h("span", { class: "muted" }, "not known yet") : span(device.cadence_s * SECOND),
    number(device.scored),
    device.open_alerts
      ? h("a", { href: `#/alerts?device=${encodeURIComponent(device.device_id)}`, data: { focus: "alerts" } }, badge(device.worst_severity ?? "minor", worstOf(device)))
      : h("span", { class: "muted" }, "none"),
  ]);
  const search = h("input", { type: "search", id: "prefix", placeholder: "begins with …", autocomplete: "off", spellcheck: "false" });
  search.addEventListener("input", () => {
    clearTimeout(typed);
    typed = setTimeout(restart, 250);
  });
  const chips = h("nav", { class: "chips", "aria-label": "Devices by state" });
  const older = button("Next", () => turnTo(next, true));
  const newer = button("Previous", () => turnTo(before.pop(), false));
  const empty = h("div", { class: "empty" });
  const note = h("p", { class: "hint", role: "status" });
  empty.hidden = list.node.hidden = true;

  /** The states with how many devices are in each; one is chosen without another page. */
  function count({ devices, truncated }) {
    const chip = (name, total, sign) => h("a", {
      href: `#/${name && `?state=${name}`}`, "aria-current": name === state && "true", data: { focus: `state-${name}` },
      onclick(event) {
        event.preventDefault();
        history.replaceState(null, "", event.currentTarget.hash);
        state = name;
        count({ devices, truncated });
        restart();
      },
    }, sign, ` ${truncated ? "at least " : ""}${number(total)} ${name || "in all"}`);
    fill(chips, chip("", devices.total), ["alerting", "silent", "reporting"].map((name) => chip(name, devices[name], icon(name))));
  }
  function restart() {
    prefix = search.value.trim();
    before.length = 0;
    cursor = "";
    return poller.now();
  }
  function turnTo(to, forward) {
    if (forward) before.push(cursor);
    cursor = to ?? "";
    return poller.now();
  }
  const poller = context.poll(DEVICES, async (signal) => {
    const answer = await get("v1/devices", { query: { prefix, state, limit: PAGE, cursor }, signal });
    next = answer.next_cursor;
    list.show(answer.devices);
    list.node.hidden = !answer.devices.length;
    empty.hidden = answer.devices.length > 0;
    if (!answer.devices.length) fill(empty, nothing(prefix, state));
    older.disabled = !next;
    newer.disabled = !before.length;
    pages.hidden = !next && !before.length;
    fill(note, `${plural(answer.devices.length, "device")} on this page${before.length ? `, page ${before.length + 1}` : ""}`);
    shown();
  });
  const pages = h("div", { class: "pages" }, newer, older);
  pages.hidden = true;
  const parts = [
    chips,
    h("div", { class: "filters" }, pair("prefix", "Device", search), note),
    list.node, empty, pages,
  ];
  return { parts, count, isShown: () => !(list.node.hidden && empty.hidden) };
}

function nothing(prefix, state) {
  if (prefix || state) return h("p", {}, "No device is like that. Try fewer letters, or another state.");
  return [
    h("p", { class: "strong" }, "No device has been heard yet."),
    h("ol", {},
      h("li", {}, "Make a key for one: ", h("code", {}, "weir devices add pump-7")),
      h("li", {}, "Send a reading with it: ", h("code", {}, "POST v1/readings"), " (", h("a", { href: "openapi.json" }, "the API’s description"), ")"),
      h("li", {}, "Or simulate a fleet: ", h("code", {}, "weir simulate"))),
  ];
}
