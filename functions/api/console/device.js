// A device: how it is, its metrics' charts, its alerts, and what alerts are wanted of it.

import { get } from "./api.js";
import { changes } from "./actions.js";
import { ControlSection } from "./controls.js";
import { badge, button, fill, h } from "./dom.js";
import { MINUTE, ms, number, plural, SECOND, span, time } from "./format.js";
import { live } from "./live.js";
import { iso, MetricPanel } from "./metric.js";
import { empty, joined, replacedTail } from "./series.js";
import { alertTable, worstOf } from "./tables.js";
import { SPANS, View } from "./view.js";

const LATEST = 1500;
const DEVICE = 10 * SECOND;
const ALERTS = 3 * SECOND;
const EXPECTED = 10 * SECOND; // it learns the metric anew each time
const RELOAD = 5 * MINUTE;
const BUCKETS = 500;
const MOST_POINTS = 40_000; // of all metrics together, the API says
const MOST_BUCKETS = 2000;

export function devicePage(main, context) {
  const page = new DevicePage(main, context);
  context.onLeave(() => page.leave());
}

class DevicePage {
  panels = new Map();
  alerts = [];
  series = {};
  bucketMs = 1;
  loads = 0; // how often a window was asked for: the name of the one that is shown
  loadedAt = 0;

  constructor(main, context) {
    const { id, query } = context;
    Object.assign(this, { main, context, id, view: new View(query) });
    this.url = `v1/devices/${encodeURIComponent(id)}`;
    this.facts = h("dl", { class: "facts row" });
    this.state = h("span", {});
    this.words = h("p", { class: "hint", role: "status" });
    this.charts = h("div", { class: "metrics" });
    this.list = alertTable(`Alerts of ${id}`, { device: false });
    this.noAlerts = h("p", { class: "empty" }, "This device has had no alert.");
    this.controls = new ControlSection(id);
    fill(
      main,
      h("nav", { class: "crumbs", "aria-label": "Where this is" }, h("a", { href: "#/" }, "Fleet")),
      h("h1", { tabindex: -1 }, id, " ", this.state),
      this.facts,
      h("section", { "aria-labelledby": "metrics" }, h("h2", { id: "metrics" }, "Metrics"), this.#bar(), this.words, legend(), this.charts),
      h("section", { class: "panel", "aria-labelledby": "device-alerts" }, h("h2", { id: "device-alerts" }, "Alerts"), this.list.node, this.noAlerts),
      this.controls.node,
    );
    this.list.node.hidden = this.noAlerts.hidden = true;
    this.device = context.poll(DEVICE, (signal) => this.#ask(signal));
    context.poll(ALERTS, (signal) => this.#askAlerts(signal));
    this.took = () => this.#askAlerts().catch(() => {}); // the poller says what is wrong
    changes.addEventListener("change", this.took);
    this.say = () => this.#say();
    live.addEventListener("change", this.say);
  }

  leave() {
    changes.removeEventListener("change", this.took);
    live.removeEventListener("change", this.say);
    this.loading?.abort();
    for (const panel of this.panels.values()) panel.destroy();
  }

  /** The device itself. Only with its last reading is it known which window to show. */
  async #ask(signal) {
    let device;
    try {
      ({ device } = await get(this.url, { signal }));
    } catch (error) {
      if (error.status !== 404) throw error;
      this.device.stop();
      fill(this.main, h("h1", { tabindex: -1 }, "There is no such device"),
        h("p", {}, `No reading of “${this.id}” was scored yet. It is listed once one was. `, h("a", { href: "#/" }, "To the fleet")));
      return;
    }
    this.view.hear(ms(device.last_reading));
    this.#showFacts(device);
    this.#panelsFor(device.metrics.map(({ metric }) => metric));
    if (!this.loader) {
      this.loader = this.context.poll(RELOAD, (given) => this.#load(given));
      this.latest = this.context.poll(LATEST, (given) => this.#askLatest(given));
      this.expecter = this.context.poll(EXPECTED, (given) => this.#askExpected(given));
    }
  }

  #showFacts(device) {
    fill(this.state, badge(device.state));
    document.title = `${this.id} · Weir`;
    const facts = [
      ["Last reading", time(device.last_reading, { ago: true })],
      ["Comes every", device.cadence_s === null ? "not known yet" : span(device.cadence_s * SECOND)],
      ["Values scored", number(device.scored)],
      ["Open alerts", device.open_alerts ? badge(device.worst_severity ?? "minor", worstOf(device)) : "none"],
      device.silent_since && ["Silent since", time(device.silent_since)],
    ];
    fill(this.facts, facts.filter(Boolean).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  }

  #panelsFor(metrics) {
    const fresh = metrics.filter((metric) => metric !== "*" && !this.panels.has(metric));
    for (const metric of fresh) {
      const panel = new MetricPanel(this.id, metric, {
        onzoom: (from, to) => this.#turn(() => this.view.fix(from, to)),
        onreset: () => this.#turn(() => this.view.choose(this.view.name)),
        onvisible: () => this.expecter?.now(),
      });
      panel.setAlerts(this.alerts);
      this.panels.set(metric, panel);
    }
    if (fresh.length) {
      this.panels = new Map([...this.panels].sort(([a], [b]) => (a < b ? -1 : 1)));
      this.charts.replaceChildren(...[...this.panels.values()].map((panel) => panel.node));
      this.controls.setMetrics([...this.panels.keys()]);
    }
  }

  #bar() {
    const spans = SPANS.map(([name, label]) => button(label, () => this.#turn(() => this.view.choose(name)), { data: { span: name } }));
    const move = (label, sign, task) => button(sign, () => this.#turn(task), { "aria-label": label, title: label });
    this.spans = h("div", { class: "group", role: "group", "aria-label": "Time shown" }, spans);
    return h(
      "div", { class: "filters" },
      this.spans,
      h("div", { class: "group", role: "group", "aria-label": "Move and zoom" },
        move("Earlier", "←", () => this.view.move(-0.5)), move("Later", "→", () => this.view.move(0.5)),
        move("Zoom in", "+", () => this.view.zoom(0.5)), move("Zoom out", "−", () => this.view.zoom(2))),
    );
  }

  /** Show another window; the address says which. */
  #turn(change) {
    change();
    history.replaceState(null, "", `#/devices/${encodeURIComponent(this.id)}${this.view.query}`);
    this.loading?.abort();
    this.#draw();
    this.loader?.now();
  }

  #draw() {
    const { from, to } = this.view.window;
    for (const control of this.spans.children) {
      control.setAttribute("aria-pressed", String(this.view.follows && control.dataset.span === this.view.name));
    }
    this.#say();
    for (const [metric, panel] of this.panels) {
      panel.setWindow(from, to);
      panel.setSeries(this.series[metric] ?? empty(), this.bucketMs);
      panel.draw();
    }
  }

  #say() {
    if (!this.loader) return; // nothing is shown yet
    const words = this.view.wordsAt(live.trouble?.since);
    if (this.words.textContent !== words) this.words.textContent = words;
  }

  /** All of the window, in as many pages as it takes. */
  async #load(signal) {
    this.loading = new AbortController();
    const { from, to } = this.view.window;
    const buckets = Math.min(BUCKETS, Math.floor(MOST_POINTS / (this.panels.size || 1)));
    const query = { from: iso(from), to: iso(to), buckets };
    const series = {};
    let cursor = "";
    try {
      do {
        const page = await get(`${this.url}/readings`, { query: { ...query, cursor }, signal: AbortSignal.any([signal, this.loading.signal]) });
        for (const [metric, part] of Object.entries(page.series)) series[metric] = joined(series[metric] ?? empty(), part);
        this.series = { ...series };
        this.bucketMs = page.bucket_ms;
        cursor = page.next_cursor ?? "";
        this.#panelsFor(Object.keys(series));
        this.#draw();
      } while (cursor);
    } catch (error) {
      if (this.loading.signal.aborted) return; // another window is wanted
      throw error;
    }
    this.loads += 1;
    this.loadedAt = Date.now();
    this.expecter?.now();
  }

  /** The newest values; with new ones, the readings that came since. */
  async #askLatest(signal) {
    const latest = await get(`${this.url}/latest`, { signal });
    const changed = latest !== this.shown;
    this.shown = latest;
    if (changed) {
      for (const [metric, { ts, value }] of Object.entries(latest.values)) this.panels.get(metric)?.setLatest({ ts: ms(ts), value });
      const newer = this.view.hear(ms(latest.at));
      if (this.view.follows && this.loads) {
        if (newer) await this.#askTail(signal);
        else if (Date.now() - this.loadedAt > 15 * SECOND) this.loader.now(); // what came was late
      }
    }
    if (this.view.follows) this.#draw();
  }

  /** The last bucket again, and those after it: of the same length, since they begin with one. */
  async #askTail(signal) {
    const { loads, bucketMs } = this;
    const start = Math.max(...Object.values(this.series).map(({ ts }) => ts.at(-1)), Math.floor(this.view.window.from / bucketMs) * bucketMs);
    const buckets = Math.min(Math.ceil((Math.max(Date.now(), this.view.last) + bucketMs - start) / bucketMs), MOST_BUCKETS);
    const query = { from: iso(start), to: iso(start + buckets * bucketMs), buckets };
    const page = await get(`${this.url}/readings`, { query, signal });
    if (loads !== this.loads) return;
    if (page.next_cursor) return this.loader.now();
    for (const [metric, part] of Object.entries(page.series)) this.series[metric] = replacedTail(this.series[metric] ?? empty(), part);
    this.#panelsFor(Object.keys(this.series));
  }

  /** What was expected, of the metrics in sight. */
  async #askExpected(signal) {
    const name = `${this.loads}`;
    if (!this.loads) return;
    for (const panel of this.panels.values()) {
      if (panel.visible && panel.wantsExpected(name)) await panel.loadExpected(name, signal);
    }
  }

  async #askAlerts(signal) {
    const { alerts } = await get("v1/alerts", { query: { device_id: this.id, state: "all", limit: 50 }, signal });
    this.alerts = alerts;
    this.list.show(alerts.slice(0, 20));
    this.list.node.hidden = !alerts.length;
    this.noAlerts.hidden = alerts.length > 0;
    this.list.node.setAttribute("aria-label", `${plural(alerts.length, "alert")} of ${this.id}`);
    for (const panel of this.panels.values()) panel.setAlerts(alerts);
  }
}

function legend() {
  const signs = [["", "mean"], ["range", "least to most"], ["expected", "expected"], ["band", "where values were expected"], ["score", "score"]];
  return h("p", { class: "legend hint", "aria-hidden": "true" }, signs.map(([name, label]) => h("span", { class: name }, label)));
}
