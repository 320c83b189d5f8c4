// One alert: what came, what was expected, what was done, and its history.

import { get } from "./api.js";
import { acknowledge, buttons, changes, deed, VERDICTS } from "./actions.js";
import { badge, fill, h, pair } from "./dom.js";
import { DAY, HOUR, local, MINUTE, ms, number, plural, SECOND, time } from "./format.js";
import { MetricPanel } from "./metric.js";
import { deviceAddress, lasted, standing, title } from "./tables.js";

const PACE = 3 * SECOND;
const AROUND = 5 * SECOND;
const MOST = 31 * DAY;

const HAPPENED = {
  opened: "Opened", rose: "Severity rose", cleared: "Cleared", reopened: "Reopened", withdrawn: "Withdrawn",
  acknowledged: "Acknowledged", snoozed: "Snoozed", unsnoozed: "Snooze taken back", snooze_ended: "Snooze ended", feedback: "Feedback",
};

export function alertPage(main, context) {
  const parts = Object.fromEntries(["head", "facts", "deeds", "note", "history", "chart"].map((name) => [name, h("div", {})]));
  const all = h("a", {}, "See all the device’s metrics at that time");
  let panel = null;
  let current = null; // the alert
  let shown = "";
  fill(main, h("h1", { tabindex: -1 }, "Alert"), h("p", { class: "empty" }, "Asking …"));

  function show(alert) {
    const text = JSON.stringify(alert) + Math.floor(Date.now() / MINUTE);
    if (text === shown) return;
    const first = !shown;
    shown = text;
    current = alert;
    document.title = `${title(alert)}, ${alert.device_id} · Weir`;
    if (first) lay(alert);
    fill(parts.head, badge(alert.severity), standing(alert));
    fill(parts.facts, facts(alert));
    fill(parts.deeds, buttons(alert));
    if (alert.acknowledged) fill(parts.note);
    else if (!parts.note.firstChild) fill(parts.note, noteForm(alert));
    fill(parts.history, history(alert));
    panel?.setAlerts([alert]);
  }

  function lay(alert) {
    const charted = alert.kind === "anomaly" && alert.metric !== "*";
    fill(
      main,
      h("nav", { class: "crumbs", "aria-label": "Where this is" }, h("a", { href: "#/alerts" }, "Alerts"), " / ", h("a", { href: deviceAddress(alert.device_id) }, alert.device_id)),
      h("h1", { tabindex: -1 }, title(alert), h("small", {}, " of ", h("a", { href: deviceAddress(alert.device_id) }, alert.device_id))),
      parts.head,
      h("p", { class: "lead" }, alert.because),
      h("div", { class: "sticky" }, parts.deeds),
      parts.note,
      h("section", { class: "panel", "aria-labelledby": "facts" }, h("h2", { id: "facts" }, "What came"), parts.facts),
      charted && h("section", { class: "panel", "aria-labelledby": "around" }, h("h2", { id: "around" }, "Around it"), parts.chart,
        h("p", {}, all)),
      h("section", { class: "panel", "aria-labelledby": "history" }, h("h2", { id: "history" }, "History"), parts.history),
    );
    main.querySelector("h1").focus({ preventScroll: true });
    if (charted) drawAround(alert);
  }

  function drawAround(alert) {
    panel = new MetricPanel(alert.device_id, alert.metric, { heading: false });
    parts.chart.append(panel.node);
    panel.setAlerts([alert]);
    const device = `v1/devices/${encodeURIComponent(alert.device_id)}`;
    let seen = null; // the newest values when last asked
    let begins = null;
    let done = ""; // when the alert ended that is shown with all that came after
    context.poll(AROUND, async (signal) => {
      if (done && done === current.ended_at) return;
      const latest = await get(`${device}/latest`, { signal });
      const { from, to, follows } = windowOf(current, ms(latest.at), begins);
      begins = from;
      all.setAttribute("href", `${deviceAddress(alert.device_id)}?from=${Math.round(from)}&to=${Math.round(to)}`);
      panel.setWindow(from, to);
      panel.setAlerts([current]); // while it is open, it reaches to the present
      if (latest !== seen || !follows || panel.wantsExpected(`${panel.loads}`)) await panel.follow(from, to, signal);
      seen = latest;
      done = follows ? "" : current.ended_at;
    });
  }

  const poller = context.poll(PACE, async (signal) => {
    try {
      const answer = await get(`v1/alerts/${encodeURIComponent(context.id)}`, { signal });
      show(answer.alert);
    } catch (error) {
      if (error.status !== 404) throw error;
      fill(main, h("h1", { tabindex: -1 }, "There is no such alert"), h("p", {}, "It may be older than alerts are kept. ", h("a", { href: "#/alerts" }, "To the alerts")));
      poller?.stop();
    }
  });
  const took = ({ detail }) => detail.alert_id === context.id && show(detail);
  changes.addEventListener("change", took);
  context.onLeave(() => {
    changes.removeEventListener("change", took);
    panel?.destroy();
  });
}

/**
 * What is shown around an alert: some time before and after, none that is to come, nor after the
 * device's last reading (`last`) if that is long ago. `follows`: there is more to come.
 */
function windowOf(alert, last, begins) {
  const [onset, now] = [ms(alert.onset), Date.now()];
  const ended = ms(alert.ended_at);
  const heard = Math.max(last ?? 0, ms(alert.last_seen) ?? onset);
  const end = ended ?? (now - heard > Math.max(10 * MINUTE, heard - onset) ? heard : Math.max(now, heard));
  const margin = Math.min(Math.max((end - onset) / 2, 10 * MINUTE), HOUR);
  const from = Math.max(begins ?? onset - margin, end - MOST);
  const after = ended === null ? 0 : Math.max(Math.min(margin, now - end), MINUTE);
  return { from, to: end + after + (end + after - from) * 0.02, follows: ended === null || now - end < margin };
}

function facts(alert) {
  const silence = alert.kind === "silence";
  const expected = alert.expected === null ? null : `${number(alert.expected)} (from ${number(alert.expected_low)} to ${number(alert.expected_high)})`;
  const rows = [
    alert.reopened_at && ["Reopened", time(alert.reopened_at)],
    [silence ? "Last heard" : alert.reopened_at ? "First onset" : "Began", time(alert.onset)],
    !silence && alert.value !== null && ["Value then", number(alert.value)],
    !silence && expected && ["Expected", expected],
    !silence && [alert.reopened_at ? "Score at first" : "Score then", number(alert.score)],
    !silence && ["Highest score", [number(alert.peak), ", ", time(alert.peak_at)]],
    !silence && ["Readings that were off", [number(alert.count), ", the last ", time(alert.last_seen)]],
    ["Ended", alert.ended_at ? time(alert.ended_at) : "not yet"],
    alert.ended_at && ["Lasted", lasted(alert)],
    alert.acknowledged && ["Acknowledged", [alert.acknowledged_by, ", ", time(alert.acknowledged_at)]],
    alert.snoozed_until && ms(alert.snoozed_until) > Date.now() && ["Snoozed until", time(alert.snoozed_until)],
    alert.feedback && ["Feedback", [`${VERDICTS[alert.feedback.verdict][0]}: ${VERDICTS[alert.feedback.verdict][1]}`, alert.feedback.note && h("q", {}, alert.feedback.note), h("span", { class: "muted" }, ` ${alert.feedback.by}, `, time(alert.feedback.at))]],
    ["Id", h("code", {}, alert.alert_id)],
  ];
  return h("dl", { class: "facts" }, rows.filter(Boolean).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function noteForm(alert) {
  const note = h("input", { id: "ack-note", maxlength: 500, autocomplete: "off", data: { focus: "note" } });
  const submit = h("button", { type: "submit" }, "Acknowledge with a note");
  return h(
    "form",
    {
      class: "filters",
      onsubmit(event) {
        event.preventDefault();
        deed(submit, () => acknowledge(alert, note.value.trim()));
      },
    },
    pair("ack-note", "Note", note), submit,
  );
}

function history(alert) {
  const entries = alert.history.toReversed();
  const first = alert.history[0];
  const gone = alert.transitions - alert.history.length;
  return [
    h("ol", { class: "history", reversed: true, "aria-label": `${plural(alert.transitions, "transition")}, the latest first` }, entries.map((entry) =>
      h("li", {}, time(entry.at), h("strong", {}, HAPPENED[entry.kind] ?? entry.kind), badge(entry.severity), entry.by && h("span", {}, `by ${entry.by}`), entry.note && h("q", {}, noteOf(entry))))),
    gone > 0 && h("p", { class: "hint" }, `${plural(gone, "transition")} after the one of ${local(ms(first.at))} are not kept.`),
  ];
}

function noteOf(entry) {
  return entry.kind === "snoozed" && /^\d+$/.test(entry.note) ? local(Number(entry.note)) : entry.note;
}
