// Two charts of a metric, one above the other: its values with what was expected, and its score.

/* global uPlot */
import { h } from "./dom.js";
import { DAY, local, MINUTE } from "./format.js";
import { broken } from "./series.js";

const SYNC = "weir";
const ROOM = 3; // times the values’ range, for what was expected above and below
const colours = new Map();
addEventListener("themechange", () => colours.clear());

/** A colour of the style sheet, as a canvas takes it: only an element resolves light-dark(). */
function colour(name) {
  if (!colours.has(name)) {
    const probe = h("i", { hidden: true });
    probe.style.color = `var(--${name})`;
    document.body.append(probe);
    colours.set(name, getComputedStyle(probe).color);
    probe.remove();
  }
  return colours.get(name);
}

const two = (value) => String(value).padStart(2, "0");
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

function ticks(u, splits, axis, space, step) {
  return splits.map((at) => {
    const date = new Date(at);
    const midnight = !date.getHours() && !date.getMinutes() && !date.getSeconds();
    if (step >= DAY || midnight) return day.format(date);
    const text = `${two(date.getHours())}:${two(date.getMinutes())}`;
    return step < MINUTE ? `${text}:${two(date.getSeconds())}` : text;
  });
}

function axes(showTime) {
  const line = { stroke: () => colour("grid"), width: 1 };
  const font = "12px system-ui, sans-serif";
  const common = { stroke: () => colour("muted"), grid: line, ticks: { show: false }, font };
  return {
    x: { ...common, values: showTime ? ticks : (u, splits) => splits.map(() => ""), size: showTime ? 24 : 4, space: 70 },
    y: { ...common, size: 56, space: 32 },
  };
}

export class Chart {
  /** In `place`. `on` has zoom(from, to), reset() and point(ts or null). */
  constructor(place, on) {
    Object.assign(this, { place, on, from: 0, to: 1, alerts: [], span: [0, 1] });
    this.values = new uPlot(this.#values(), [[], [], [], [], [], [], []], place);
    this.scores = new uPlot(this.#scores(), [[], []], place);
    this.sizes = new ResizeObserver(() => this.#size());
    this.sizes.observe(place);
    this.themed = () => this.both((u) => u.redraw(false));
    addEventListener("themechange", this.themed);
  }

  both(task) {
    task(this.values);
    task(this.scores);
  }

  destroy() {
    removeEventListener("themechange", this.themed);
    this.sizes.disconnect();
    this.both((u) => u.destroy());
  }

  /**
   * `series` has ts, min, max, mean; `expected` ts, expected, low, high, score, or is null. No line
   * bridges a time of `gaps`.
   */
  show(from, to, series, expected, gaps, alerts) {
    Object.assign(this, { from: Math.floor(from), to: Math.ceil(to), alerts }); // ticks want whole ms
    const [ts, min, max, mean] = broken(["ts", "min", "max", "mean"].map((name) => series[name]), gaps);
    const [when, middle, low, high, score] = broken(["ts", "expected", "low", "high", "score"].map((name) => expected?.[name] ?? []), gaps);
    this.span = bounds(min, max, low, high);
    const data = uPlot.join([[ts, min, max, mean], [when, low, high, middle]], [[1, 1, 1, 1], [1, 1, 1, 1]]);
    this.values.setData(data.length === 7 ? data : [[], [], [], [], [], [], []]);
    this.scores.setData([when, score]);
    this.#marks();
  }

  #common(height) {
    const width = this.place.clientWidth || 300;
    return {
      width, height, ms: 1, legend: { show: false }, padding: [8, 26, 0, 0],
      cursor: {
        y: false, points: { show: false },
        sync: { key: SYNC, setSeries: false, filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } },
        drag: { x: true, y: false, setScale: false },
        bind: { dblclick: () => () => this.on.reset() },
      },
      hooks: { setSelect: [(u) => this.#selected(u)] },
    };
  }

  #values() {
    const { x, y } = axes(false);
    const common = this.#common(190);
    const bare = { stroke: "transparent", points: { show: false } };
    const lone = { show: (u, index, start, end) => end - start < 60, size: 4 };
    common.hooks.drawClear = [(u) => this.#shade(u)];
    common.hooks.setCursor = [(u) => this.on.point(u.cursor.left >= 0 ? u.posToVal(u.cursor.left, "x") : null)];
    return {
      ...common,
      scales: { x: { time: true, range: () => [this.from, this.to] }, y: { range: () => this.span } },
      axes: [x, y],
      series: [
        {}, bare, bare,
        { stroke: () => colour("accent"), width: 1.6, points: lone },
        bare, bare,
        { stroke: () => colour("expected"), width: 1.2, dash: [5, 4], points: { show: false } },
      ],
      bands: [
        { series: [5, 4], fill: () => colour("expected-band") },
        { series: [2, 1], fill: () => colour("line-band") },
      ],
    };
  }

  #scores() {
    const { x, y } = axes(true);
    return {
      ...this.#common(84),
      scales: { x: { time: true, range: () => [this.from, this.to] }, score: { range: () => [0, 1] } },
      axes: [x, { ...y, scale: "score", splits: () => [0, 0.5, 1], values: () => ["0", "score", "1"] }],
      series: [{}, { scale: "score", stroke: () => colour("major"), fill: () => colour("score-band"), width: 1.4, points: { show: false } }],
    };
  }

  #size() {
    const width = this.place.clientWidth;
    if (width && width !== this.values.width) {
      this.values.setSize({ width, height: 190 });
      this.scores.setSize({ width, height: 84 });
      this.#marks();
    }
  }

  #selected(u) {
    const { left, width } = u.select;
    if (width < 5) return;
    const [from, to] = [u.posToVal(left, "x"), u.posToVal(left + width, "x")];
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.on.zoom(from, to);
  }

  get #stretches() {
    return this.alerts.flatMap((alert) => alert.stretches.map(([start, end]) => ({ ...alert, start, end })));
  }

  /** Behind the lines: each alert from its onset to its end, and as it reopened. */
  #shade(u) {
    const { ctx, bbox } = u;
    for (const { start, end, severity } of this.#stretches) {
      const left = Math.round(Math.max(u.valToPos(start, "x", true), bbox.left));
      const right = Math.min(u.valToPos(end, "x", true), bbox.left + bbox.width);
      if (right < bbox.left || left > bbox.left + bbox.width) continue;
      ctx.save();
      ctx.fillStyle = ctx.strokeStyle = colour(severity);
      ctx.globalAlpha = 0.13;
      ctx.fillRect(left, bbox.top, Math.max(right - left, 2), bbox.height);
      ctx.globalAlpha = 0.9;
      ctx.fillRect(left, bbox.top, 1.5 * devicePixelRatio, bbox.height);
      ctx.restore();
    }
  }

  /** Signs at the onsets, for the mouse; the list below the chart has the same links. */
  #marks() {
    const u = this.values;
    u.over.querySelectorAll(".onset").forEach((node) => node.remove());
    for (const { start, severity, href, label } of this.#stretches) {
      if (start < this.from || start > this.to) continue;
      const mark = h("a", { class: `onset ${severity}`, href, tabindex: -1, title: `${label}, ${local(start)}` });
      mark.style.left = `${u.valToPos(start, "x")}px`;
      u.over.append(mark);
    }
  }
}

/** The values, and what was expected as far as it does not make them flat: then it is cut off. */
export function bounds(min, max, low, high) {
  const least = smallest(min);
  const most = -smallest(max.map((value) => (value === null ? null : -value)));
  if (!Number.isFinite(least)) return [0, 1];
  const room = ROOM * (most - least) || Math.abs(most) * 0.1 || 1;
  const bottom = Math.min(least, Math.max(smallest(low), least - room));
  const top = Math.max(most, Math.min(-smallest(high.map((value) => (value === null ? null : -value))), most + room));
  const pad = (top - bottom || 1) * 0.06;
  return [bottom - pad, top + pad];
}

function smallest(values) {
  let found = Infinity;
  for (const value of values) if (value !== null && value < found) found = value;
  return found;
}
