// A metric's readings in buckets, as parallel arrays: ts (epoch ms), min, max, mean, count.

import { number } from "./format.js";

export function empty() {
  return { ts: [], min: [], max: [], mean: [], count: [] };
}

/** `first` with `second` after it; a bucket that both have is one. */
export function joined(first, second) {
  const all = empty();
  for (const { ts, min, max, mean, count } of [first, second]) {
    for (let i = 0; i < ts.length; i++) add(all, ts[i], min[i], max[i], mean[i], count[i]);
  }
  return all;
}

function add(all, ts, min, max, mean, count) {
  const last = all.ts.length - 1;
  if (last < 0 || ts > all.ts[last]) {
    all.ts.push(ts);
    all.min.push(min);
    all.max.push(max);
    all.mean.push(mean);
    all.count.push(count);
  } else if (ts === all.ts[last]) {
    const sum = all.count[last] + count;
    all.mean[last] = (all.mean[last] * all.count[last] + mean * count) / sum;
    all.count[last] = sum;
    all.min[last] = Math.min(all.min[last], min);
    all.max[last] = Math.max(all.max[last], max);
  }
}

/** Where readings are missing: the middle of each time that is longer than `gapMs`. */
export function gaps({ ts }, gapMs) {
  return ts.slice(1).flatMap((at, index) => (at - ts[index] > gapMs ? [(at + ts[index]) / 2] : []));
}

/** Columns, the first of times, with a row of nulls at each of `gaps`: a line must not bridge one. */
export function broken(columns, gaps) {
  const out = columns.map(() => []);
  const push = (row) => row.forEach((value, index) => out[index].push(value));
  let next = 0;
  columns[0].forEach((at, index) => {
    for (; gaps[next] < at; next++) if (index) push(columns.map((_, column) => (column ? null : gaps[next])));
    push(columns.map((column) => column[index]));
  });
  return out;
}

/** How long a silence is a gap: three times what is usual, and two buckets at the least. */
export function gapOf(series, bucketMs) {
  const steps = series.ts.slice(1).map((ts, index) => ts - series.ts[index]).sort((a, b) => a - b);
  const usual = steps[Math.floor(steps.length / 2)] ?? bucketMs;
  return Math.max(3 * usual, 2 * bucketMs) + 1;
}

/** The index of the last time that is not after `at`; -1 if there is none. */
export function before(ts, at) {
  let [low, high] = [0, ts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ts[middle] <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** What a window holds of a series, or null if nothing. */
export function within({ ts, min, max, mean, count }, from, to) {
  const found = { low: Infinity, high: -Infinity, sum: 0, count: 0 };
  for (let i = Math.max(before(ts, from), 0); i < ts.length && ts[i] <= to; i++) {
    if (ts[i] < from) continue;
    found.low = Math.min(found.low, min[i]);
    found.high = Math.max(found.high, max[i]);
    found.sum += mean[i] * count[i];
    found.count += count[i];
  }
  return found.count ? { ...found, mean: found.sum / found.count } : null;
}

/** A window in a sentence, for whoever does not see the chart. */
export function summary(series, expected, from, to) {
  const seen = within(series, from, to);
  if (!seen) return "No readings in this time.";
  const words = [`From ${number(seen.low)} to ${number(seen.high)}, mean ${number(seen.mean)}, ${number(seen.count)} ${seen.count === 1 ? "reading" : "readings"}.`];
  const last = expected ? before(expected.ts, to) : -1;
  if (last >= 0 && expected.low[last] !== null) {
    words.push(`Expected at the end: ${number(expected.expected[last])}, from ${number(expected.low[last])} to ${number(expected.high[last])}.`);
  }
  if (last >= 0) {
    const highest = Math.max(...expected.score.filter((score, index) => score !== null && expected.ts[index] >= from && expected.ts[index] <= to));
    if (Number.isFinite(highest)) words.push(`Highest score ${number(highest)}.`);
  }
  return words.join(" ");
}

/** `known` with `tail`, other parallel arrays, in place of all from the tail's first time on. */
export function replacedTail(known, tail) {
  if (!tail.ts.length) return known;
  const end = before(known.ts, tail.ts[0] - 1) + 1;
  const names = Object.keys(known).filter((name) => Array.isArray(known[name]));
  return { ...known, ...Object.fromEntries(names.map((name) => [name, [...known[name].slice(0, end), ...tail[name]]])) };
}
