// Polling: at its own pace while somebody looks, more slowly while it fails, and open about it.

const MOST = 60_000;

class Live extends EventTarget {
  pollers = new Set();

  /** What fails now: the poller that has failed the longest, or null. */
  get trouble() {
    const failing = [...this.pollers].filter((poller) => poller.failed);
    return failing.sort((a, b) => a.failed.since - b.failed.since)[0]?.failed ?? null;
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  /** Ask everything again now. */
  retry() {
    for (const poller of this.pollers) poller.now();
  }
}

export const live = new Live();

document.addEventListener("visibilitychange", () => {
  for (const poller of live.pollers) {
    if (document.hidden) poller.pause();
    else poller.now();
  }
});

/** Runs `task(signal)` every `every` ms, one at a time, until it is stopped. */
export class Poller {
  failed = null; // {since, why}
  failures = 0;
  #timer = 0;
  #abort = new AbortController();
  #running = null;
  #wanted = false;
  #good = Date.now();

  constructor(every, task) {
    Object.assign(this, { every, task });
    live.pollers.add(this);
    this.now();
  }

  /** Run now, or right after the run that is going on. */
  now() {
    clearTimeout(this.#timer);
    if (this.#running) {
      this.#wanted = true;
      return this.#running;
    }
    if (this.#abort.signal.aborted) return Promise.resolve();
    this.#running = this.#run();
    return this.#running;
  }

  pause() {
    clearTimeout(this.#timer);
  }

  stop() {
    this.pause();
    this.#abort.abort();
    live.pollers.delete(this);
    live.changed();
  }

  async #run() {
    let wait = this.every;
    try {
      await this.task(this.#abort.signal);
      this.#good = Date.now();
      this.failures = 0;
      this.failed = null;
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      if (error.status === undefined) console.error(error); // ours, not the API's
      this.failures += 1;
      this.failed ??= { since: this.#good };
      this.failed.why = error.message;
      const backoff = Math.min(this.every * 2 ** this.failures, MOST);
      wait = Math.max(backoff * (0.75 + Math.random() / 2), (error.retryAfter ?? 0) * 1000);
    } finally {
      this.#running = null;
    }
    if (this.#abort.signal.aborted) return;
    live.changed();
    if (this.#wanted) {
      this.#wanted = false;
      this.now();
    } else if (!document.hidden) {
      this.#timer = setTimeout(() => this.now(), wait);
    }
  }
}
