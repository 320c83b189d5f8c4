// The frame around the pages: what is signed in, which page is shown, whether it is live.

import { isSnoozed } from "./actions.js";
import { get, forget } from "./api.js";
import { alertPage } from "./alert.js";
import { alertsPage } from "./alerts.js";
import { devicePage } from "./device.js";
import { fill, h, button, icon } from "./dom.js";
import { fleetPage } from "./fleet.js";
import { keepAges, local, plural, subject, utc } from "./format.js";
import { keys, showKeys } from "./keys.js";
import { live, Poller } from "./live.js";
import { session } from "./session.js";
import { signInPage } from "./signin.js";

const WATCH = 3000;
const main = document.getElementById("main");
let page = null; // what is shown: {pollers, leave}
let watch = null;

const ROUTES = [
  [/^\/$/, "fleet", "Fleet", fleetPage],
  [/^\/devices\/([^/]+)$/, "fleet", "Device", devicePage],
  [/^\/alerts$/, "alerts", "Alerts", alertsPage],
  [/^\/alerts\/([^/]+)$/, "alerts", "Alert", alertPage],
];

/** Show the page that the address names. */
function show() {
  leave();
  const signedIn = Boolean(session.token());
  for (const id of ["nav", "sign-out"]) document.getElementById(id).hidden = !signedIn;
  if (!signedIn) {
    document.title = "Sign in · Weir";
    forget();
    return signInPage(main);
  }
  const [path, query = ""] = (location.hash.slice(1) || "/").split("?");
  const [pattern, section, title, open] = ROUTES.find(([pattern]) => pattern.test(path)) ?? [];
  document.title = `${title ?? "Not found"} · Weir`;
  for (const link of document.querySelectorAll("#nav a")) {
    if (link.dataset.page === section) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!open) {
    return fill(main, h("h1", { tabindex: -1 }, "There is no such page"), h("p", {}, h("a", { href: "#/" }, "To the fleet")));
  }
  const mine = { pollers: [], leave: () => {} };
  page = mine;
  const id = decodeURIComponent(path.match(pattern)[1] ?? "");
  open(main, {
    id,
    query: new URLSearchParams(query),
    poll(every, task) {
      const poller = new Poller(every, task);
      if (page === mine) mine.pollers.push(poller);
      else poller.stop();
      return poller;
    },
    onLeave(done) {
      mine.leave = done;
    },
  });
}

function leave() {
  page?.pollers.forEach((poller) => poller.stop());
  page?.leave();
  page = null;
  document.querySelector("dialog[open]")?.close();
}

/** Another page: its heading has the focus, so that it is read, and Tab goes on from there. */
function turn() {
  if (session.fromFragment()) return;
  show();
  main.querySelector("h1")?.focus({ preventScroll: true });
  scrollTo(0, 0);
}

function sessionChanged() {
  watch?.stop();
  watch = session.token() ? new Poller(WATCH, look()) : null;
  if (!watch) document.getElementById("open-count").hidden = true;
  show();
}

/** The open alerts that nobody has seen to: how many, and a word for each that is new. */
function look() {
  let seen = null;
  return async (signal) => {
    const query = { state: "open", acknowledged: "false", limit: 100 };
    const { alerts, next_cursor: more } = await get("v1/alerts", { query, signal });
    const count = document.getElementById("open-count");
    count.hidden = !alerts.length;
    const text = more ? "99+" : `${alerts.length}`;
    fill(count, text, h("span", { class: "visually-hidden" }, " open and not acknowledged"));
    const fresh = seen ? alerts.filter((alert) => !seen.has(alert.alert_id) && !isSnoozed(alert)) : [];
    seen = new Set(alerts.map((alert) => alert.alert_id));
    if (fresh.length) announce(fresh);
  };
}

function announce(alerts) {
  const [first] = alerts;
  const words = alerts.length === 1
    ? `${first.reopened_at ? "Reopened" : "New"} ${first.severity} alert: ${first.device_id}, ${subject(first)}.`
    : `${plural(alerts.length, "new alert")}, the latest of ${first.device_id}.`;
  document.getElementById("announcements").replaceChildren(words);
}

/** Not live, since when and why; nothing while all is well. */
function showLive() {
  const line = document.getElementById("live");
  const { trouble } = live;
  line.hidden = !trouble;
  main.classList.toggle("stale", Boolean(trouble));
  if (!trouble) return line.replaceChildren();
  const since = h("time", { datetime: new Date(trouble.since).toISOString(), title: utc(trouble.since) }, local(trouble.since));
  const text = [h("strong", {}, "Not live since ", since), `: ${trouble.why}. `];
  return fill(line, h("span", {}, text), button("Try now", () => live.retry(), { data: { focus: "retry" } }));
}

function setUpTheme() {
  const control = document.getElementById("theme");
  const names = { "": "system", light: "light", dark: "dark" };
  const apply = () => {
    const chosen = document.documentElement.dataset.theme ?? "";
    const name = `Theme: ${names[chosen]}`;
    control.setAttribute("aria-label", name);
    control.title = name;
    control.replaceChildren(icon(`theme-${names[chosen]}`), h("span", { class: "wide-only" }, name));
    dispatchEvent(new Event("themechange"));
  };
  control.addEventListener("click", () => {
    const order = Object.keys(names);
    const next = order[(order.indexOf(document.documentElement.dataset.theme ?? "") + 1) % order.length];
    if (next) document.documentElement.dataset.theme = next;
    else delete document.documentElement.dataset.theme;
    try {
      localStorage.setItem("weir.theme", next);
    } catch {
      // It holds for this page, then.
    }
    apply();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  apply();
}

async function start() {
  setUpTheme();
  session.fromFragment();
  try {
    session.config = { ...session.config, ...(await (await fetch("console/config.json")).json()) };
  } catch {
    // Without it, a token can be given all the same.
  }
  await session.comeBack();
  session.addEventListener("change", () => {
    sessionChanged();
    main.querySelector("h1")?.focus({ preventScroll: true });
  });
  live.addEventListener("change", showLive);
  addEventListener("hashchange", turn);
  document.getElementById("sign-out").addEventListener("click", () => session.end());
  document.getElementById("help").addEventListener("click", showKeys);
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault(); // the fragment is the page's address
    main.focus();
  });
  document.addEventListener("keydown", keys);
  setInterval(keepAges, 1000);
  sessionChanged();
}

start();
