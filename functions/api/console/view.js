// The time that a device's charts show: a span that follows the readings, or a fixed window.

import { DAY, HOUR, local, MINUTE, SECOND } from "./format.js";

export const SPANS = [["15m", "15 min", 15 * MINUTE], ["1h", "1 h", HOUR], ["24h", "24 h", DAY], ["7d", "7 d", 7 * DAY]];
const LEAST = 2 * SECOND;
const MOST = 31 * DAY;

export class View {
  fixed = null; // {from, to}
  last = null; // when the device's last reading was

  constructor(query) {
    const [from, to] = [Number(query.get("from")), Number(query.get("to"))];
    this.name = SPANS.some(([name]) => name === query.get("range")) ? query.get("range") : "15m";
    if (from > 0 && to - from >= LEAST) this.fixed = { from, to };
  }

  /** The device was heard at `at`; whether that is later than it was before. */
  hear(at) {
    const later = at !== null && at > (this.last ?? 0);
    if (later) this.last = at;
    return later;
  }

  get span() {
    return this.fixed ? this.fixed.to - this.fixed.from : SPANS.find(([name]) => name === this.name)[2];
  }

  get follows() {
    return this.fixed === null;
  }

  /** Whether the last reading is too long ago for a window that ends now. */
  get isOld() {
    return this.follows && this.last !== null && Date.now() - this.last > this.span;
  }

  get window() {
    if (this.fixed) return this.fixed;
    const now = Date.now();
    const to = this.isOld ? this.last + this.span / 20 : Math.max(now, this.last ?? 0);
    return { from: to - this.span, to };
  }

  choose(name) {
    this.fixed = null;
    this.name = name;
  }

  fix(from, to) {
    if (to - from < LEAST) {
      const middle = (from + to) / 2;
      [from, to] = [middle - LEAST / 2, middle + LEAST / 2];
    }
    this.fixed = { from: Math.max(from, to - MOST), to };
  }

  move(share) {
    const { from, to } = this.window;
    this.fix(from + share * (to - from), to + share * (to - from));
  }

  zoom(factor) {
    const { from, to } = this.window;
    const [middle, half] = [(from + to) / 2, ((to - from) / 2) * factor];
    this.fix(middle - half, middle + half);
  }

  /** For the address, so that it can be kept, sent, and gone back to. */
  get query() {
    return this.fixed ? `?from=${Math.round(this.fixed.from)}&to=${Math.round(this.fixed.to)}` : `?range=${this.name}`;
  }

  /** What is shown, in words; `asOf` is since when nothing new is heard of the API, if so. */
  wordsAt(asOf) {
    const { from, to } = this.window;
    if (asOf && this.follows) return `Not live: as it was at ${local(asOf)}.`;
    if (this.isOld) return `Up to the last reading, ${local(this.last)}: none came since.`;
    return this.follows ? `The last ${SPANS.find(([name]) => name === this.name)[1]}, live.` : `From ${local(from)} to ${local(to)}.`;
  }
}
