// The panel of one metric: charts, the values under the pointer, alerts, a summary and a table.

import { get } from "./api.js";
import { Chart } from "./chart.js";
import { badge, fill, h } from "./dom.js";
import { local, ms, number, sinceOf, time } from "./format.js";
import { before, empty, gapOf, gaps, joined, replacedTail, summary } from "./series.js";
import { alertAddress } from "./tables.js";

const BUCKETS = 500;
const MOST_BUCKETS = 2000;
const ROWS = 60;

export class MetricPanel {
  series = empty();
  expected = null;
  loaded = ""; // the window whose expected values are here
  loads = 0; // how often `load` has shown a whole window
  visible = false;
  alerts = [];
  bucketMs = 1;
  from = 0;
  to = 1;

  constructor(deviceId, metric, { heading = true, onzoom = null, onreset = null, onvisible = null } = {}) {
    Object.assign(this, { metric, url: `v1/devices/${encodeURIComponent(deviceId)}` });
    this.latest = h("span", { class: "latest" });
    this.place = h("div", { class: "chart", "aria-hidden": "true" });
    this.readout = h("p", { class: "readout", "aria-hidden": "true" });
    this.caption = h("figcaption", { class: "hint" });
    this.marks = h("ul", { class: "marks", "aria-label": `Alerts of ${metric} in view` });
    this.table = h("details", { ontoggle: () => this.#tabulate() }, h("summary", {}, "As a table"), h("div", {}));
    this.node = h(
      "section", { class: "metric", "aria-label": metric },
      heading && h("h3", {}, metric, this.latest),
      h("figure", {}, this.readout, this.place, this.caption),
      this.marks, this.table,
    );
    this.on = { zoom: (from, to) => onzoom?.(from, to), reset: () => onreset?.(), point: (ts) => this.#point(ts) };
    this.sight = new IntersectionObserver(([entry]) => {
      this.visible = entry.isIntersecting;
      if (this.visible) {
        this.draw();
        onvisible?.();
      }
    }, { rootMargin: "200px" });
    this.sight.observe(this.node);
  }

  destroy() {
    this.sight.disconnect();
    this.chart?.destroy();
  }

  setWindow(from, to) {
    Object.assign(this, { from, to });
  }

  setSeries(series, bucketMs) {
    Object.assign(this, { series, bucketMs });
  }

  setLatest({ ts, value }) {
    fill(this.latest, h("strong", {}, number(value)), " ", time(ts, { ago: true }));
  }

  /** The device's alerts; those of other metrics are no concern of this panel. */
  setAlerts(alerts) {
    this.alerts = alerts.filter((alert) => alert.metric === this.metric && !alert.withdrawn).map((alert) => ({
      stretches: stretches(alert),
      severity: alert.severity,
      href: alertAddress(alert),
      label: `${alert.severity} alert, ${alert.state === "OPEN" ? "open" : "cleared"}`,
      since: `since ${local(ms(sinceOf(alert)))}${alert.reopened_at ? `, first ${local(ms(alert.onset))}` : ""}`,
    }));
    this.draw();
  }

  /** Draw what is known, if anybody sees it. */
  draw() {
    const inView = this.alerts.filter(({ stretches }) => stretches.some(([start, end]) => start <= this.to && end >= this.from));
    this.marks.hidden = !inView.length;
    const text = JSON.stringify(inView.map(({ href, label, since }) => [href, label, since]));
    if (text !== this.marked) {
      this.marked = text;
      fill(this.marks, inView.map(({ href, label, severity, since }) => h("li", {}, h("a", { href, data: { focus: href } }, badge(severity, `${label}, ${since}`)))));
    }
    if (!this.visible) return;
    this.chart ??= new Chart(this.place, this.on);
    const missing = gaps(this.series, gapOf(this.series, this.bucketMs));
    this.chart.show(this.from, this.to, this.series, this.expected, missing, this.alerts);
    const said = summary(this.series, this.expected, this.from, this.to) + (this.expected?.truncated ? " The expected values cover only a part of this time." : "");
    if (this.caption.textContent !== said) this.caption.textContent = said;
  }

  /** Ask for the readings of the window, and for what was expected. */
  async load(signal) {
    const query = { from: iso(this.from), to: iso(this.to), metric: this.metric, buckets: BUCKETS };
    let cursor = "";
    let series = empty();
    do {
      const page = await get(`${this.url}/readings`, { query: { ...query, cursor }, signal });
      series = joined(series, page.series[this.metric] ?? empty());
      this.setSeries(series, page.bucket_ms);
      this.draw();
      cursor = page.next_cursor ?? "";
    } while (cursor);
    this.loads += 1;
    this.wholeSpan = this.to - this.from;
    await this.loadExpected(`${this.loads}`, signal);
  }

  /** The window ends later: the last bucket again, those after it, and what was expected. */
  async follow(from, to, signal) {
    this.setWindow(from, to);
    const start = this.series.ts.at(-1);
    if (start === undefined || to - from > 1.5 * this.wholeSpan) return this.load(signal);
    const buckets = Math.ceil((to - start) / this.bucketMs);
    if (buckets > MOST_BUCKETS) return this.load(signal);
    if (buckets > 0) {
      const query = { from: iso(start), to: iso(start + buckets * this.bucketMs), metric: this.metric, buckets };
      const page = await get(`${this.url}/readings`, { query, signal });
      if (page.next_cursor) return this.load(signal);
      this.setSeries(replacedTail(this.series, page.series[this.metric] ?? empty()), this.bucketMs);
    }
    await this.loadExpected(`${this.loads}`, signal);
  }

  /**
   * Ask for what was expected: all of it if `name`, which stands for the window, is another than
   * before, else what came since.
   */
  async loadExpected(name, signal) {
    const known = name === this.loaded ? this.expected : null;
    const from = known?.ts.length ? known.ts.at(-1) : this.from;
    if (from >= this.to) return;
    const buckets = Math.min(BUCKETS, Math.max(1, Math.ceil((this.to - from) / this.bucketMs)));
    const query = { metric: this.metric, from: iso(from), to: iso(this.to), buckets };
    try {
      const found = await get(`${this.url}/expected`, { query, signal });
      this.expected = known ? replacedTail(known, found) : found;
    } catch (error) {
      if (![400, 404].includes(error.status)) throw error;
      this.expected = null; // nothing was scored
    }
    this.loaded = name;
    this.draw();
  }

  /** Whether there are readings that were not scored when last asked. */
  wantsExpected(name) {
    if (name !== this.loaded) return true;
    const last = this.expected?.ts.at(-1);
    return last !== undefined && (this.series.ts.at(-1) ?? 0) > last;
  }

  #point(ts) {
    const at = ts === null ? -1 : before(this.series.ts, ts + this.bucketMs / 2);
    if (at < 0) return this.readout.replaceChildren();
    const { ts: when, min, max, mean } = this.series;
    const words = [local(when[at]), `mean ${number(mean[at])}`];
    if (min[at] !== max[at]) words.push(`from ${number(min[at])} to ${number(max[at])}`);
    const near = this.expected ? before(this.expected.ts, when[at] + this.bucketMs) : -1;
    if (near >= 0) {
      const { expected, low, high, score } = this.expected;
      if (expected[near] !== null) words.push(`expected ${number(expected[near])} (${number(low[near])} to ${number(high[near])})`);
      if (score[near] !== null) words.push(`score ${number(score[near])}`);
    }
    this.readout.textContent = words.join(" · ");
  }

  #tabulate() {
    if (!this.table.open) return;
    const { ts, min, max, mean } = this.series;
    const every = Math.max(1, Math.ceil(ts.length / ROWS));
    const rows = [];
    for (let i = ts.length - 1; i >= 0; i -= every) {
      const near = this.expected ? before(this.expected.ts, ts[i] + this.bucketMs) : -1;
      const of = (name) => (near < 0 ? null : this.expected[name][near]);
      rows.push([time(ts[i]), ...[mean[i], min[i], max[i], of("low"), of("high"), of("score")].map(number)]);
    }
    const names = ["From", "Mean", "Least", "Most", "Expected from", "to", "Score"];
    fill(this.table.lastElementChild, h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Values of ${this.metric}` }, h("table", { class: "small" },
      h("caption", {}, every > 1 ? `Every ${every}th of ${ts.length} buckets, the latest first` : "The latest first"),
      h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell))))))));
  }
}

/** From when to when an alert was open: by its history if it is here, else from its onset on. */
function stretches({ onset, ended_at: ended, last_seen: seen, history = [] }) {
  const end = ms(ended) ?? Math.max(Date.now(), ms(seen) ?? 0);
  const found = [];
  let start = ms(onset);
  for (const { kind, at } of history) {
    if (kind === "reopened") start = ms(at);
    if (start === null || !["cleared", "withdrawn"].includes(kind)) continue;
    found.push([start, ms(at)]);
    start = null;
  }
  return start === null ? found : [...found, [start, end]];
}

export const iso = (at) => new Date(Math.round(at)).toISOString();
