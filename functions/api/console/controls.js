// What alerts are wanted of a device: its controls, those of its metrics, and snoozes of them.

import { askSnooze, deed } from "./actions.js";
import { get, post, put, search } from "./api.js";
import { sentence, toast } from "./dialogs.js";
import { button, fill, h, pair } from "./dom.js";
import { local, ms } from "./format.js";

const WHOLE = "*";

// What the API takes of the fields that are amounts, in words.
const RULES = {
  minimum: { valid: (value) => value >= 0, words: "0 or more" },
  false_alerts_per_week: { valid: (value) => value >= 1e-6 && value <= 1000, words: "a number above 0, at most 1000" },
  silent_after_s: {
    valid: (value) => value === 0 || (value >= 30 && value <= 366 * 86_400),
    words: "from 30 s to 366 days, or 0 for never",
  },
};

export class ControlSection {
  controls = null; // {control, metrics}
  fleet = {};
  metrics = [];
  target = ""; // "" is the device, "*" its joint anomalies, else a metric

  constructor(deviceId) {
    this.id = deviceId;
    this.url = `v1/devices/${encodeURIComponent(deviceId)}`;
    this.choice = h("select", { id: "target", onchange: () => this.#aim(this.choice.value) });
    this.form = h("form", { class: "controls", novalidate: true, onsubmit: (event) => this.#save(event) });
    this.node = h(
      "section", { class: "panel", "aria-labelledby": "controls" },
      h("h2", { id: "controls" }, "Which alerts are wanted"),
      h("p", { class: "hint" }, "What is left empty is as the device has it, and then as the fleet has it. Changes hold within a minute, for readings after that."),
      h("div", { class: "filters" }, pair("target", "For", this.choice)),
      this.form,
    );
    this.#load();
  }

  setMetrics(metrics) {
    if (metrics.join() === this.metrics.join() && this.choice.options.length) return;
    this.metrics = metrics;
    const options = [["", "all of the device"], [WHOLE, "the device as a whole (joint anomalies)"], ...metrics.map((name) => [name, name])];
    this.choice.replaceChildren(...options.map(([value, label]) => h("option", { value, selected: value === this.target }, label)));
  }

  async #load() {
    try {
      const [own, fleet] = await Promise.all([get(`${this.url}/controls`), get("v1/controls")]);
      this.fleet = fleet.control;
      this.#show(own);
    } catch (error) {
      fill(this.form, h("p", { class: "trouble" }, sentence(`The controls cannot be read: ${error.message}`)), button("Try again", () => this.#load()));
    }
  }

  #show(answer) {
    this.controls = { control: answer.control, metrics: answer.metrics };
    this.#aim(this.target);
  }

  get own() {
    return (this.target ? this.controls.metrics[this.target] : this.controls.control) ?? {};
  }

  #aim(target) {
    this.target = target;
    if (!this.controls) return;
    const wider = { ...this.fleet, ...(target ? this.controls.control : {}) };
    const { own } = this;
    const snoozed = ms(own.snoozed_until) > Date.now();
    const inherited = (name, otherwise) => (wider[name] === undefined ? otherwise : `${wider[name]}`);
    const choose = (name, options, value) => h("select", { id: `control-${name}`, name },
      options.map(([key, label]) => h("option", { value: key, selected: key === value }, label)));
    const field = (name, label, control, hint) => h("div", { class: "field" }, h("label", { for: `control-${name}` }, label), control,
      hint && h("p", { class: "hint", id: `hint-${name}` }, hint), h("p", { class: "trouble", id: `trouble-${name}`, role: "alert" }));
    const amount = (name, otherwise, more) => h("input", {
      id: `control-${name}`, name, type: "number", step: "any", inputmode: "decimal", value: own[name] ?? "", placeholder: inherited(name, otherwise),
      "aria-describedby": `hint-${name} trouble-${name}`, oninput: () => this.#judge(name),
    });
    fill(
      this.form,
      target !== WHOLE && field("direction", "Direction", choose("direction", [["", `as it is (${inherited("direction", "both")})`], ["both", "above and below the expected"], ["above", "above only"], ["below", "below only"]], own.direction ?? "")),
      target !== WHOLE && field("minimum", "Least departure", amount("minimum", "0"), "From the expected, in the metric’s unit."),
      field("ignore", "Ignore", choose("ignore", [["", `as it is (${inherited("ignore", "false") === "true" ? "ignored" : "not ignored"})`], ["true", "open no alerts"], ["false", "open alerts"]], own.ignore === undefined ? "" : String(own.ignore))),
      field("false_alerts_per_week", "False alerts a week", amount("false_alerts_per_week", "the deployment’s"), "How many a healthy device may open. Fewer also means later."),
      !target && field("silent_after_s", "Silent after, seconds", amount("silent_after_s", "as learned"), "From 30 s to 366 days; 0: never. Empty: as learned from how it reports."),
      h("div", { class: "actions" },
        snoozed && h("span", { class: "hint" }, `Snoozed until ${local(ms(own.snoozed_until))}`),
        button(snoozed ? "Change the snooze" : "Snooze", (event) => deed(event.currentTarget, () => this.#snooze(snoozed)), { data: { focus: "snooze" } }),
        button("Clear", (event) => deed(event.currentTarget, () => this.#clear()), { data: { focus: "clear" }, disabled: !Object.keys(own).length }),
        h("button", { type: "submit", class: "primary", data: { focus: "save" } }, "Save")),
    );
  }

  /** Say beside a field what is wrong with it; whether it can be sent. */
  #judge(name) {
    const field = this.form.elements[name];
    if (!field) return true;
    const { valid, words } = RULES[name];
    const isGood = !field.validity.badInput && (field.value === "" || valid(Number(field.value)));
    const text = isGood ? "" : `Give ${words}.`;
    const place = document.getElementById(`trouble-${name}`);
    if (place.textContent !== text) place.textContent = text;
    if (isGood) field.removeAttribute("aria-invalid");
    else field.setAttribute("aria-invalid", "true");
    return isGood;
  }

  #save(event) {
    event.preventDefault();
    const wrong = Object.keys(RULES).filter((name) => !this.#judge(name));
    if (wrong.length) return this.form.elements[wrong[0]].focus();
    const given = new FormData(this.form);
    const control = {};
    if (this.own.snoozed_until) control.snoozed_until = this.own.snoozed_until;
    for (const name of Object.keys(RULES)) if (given.get(name)) control[name] = Number(given.get(name));
    if (given.get("direction")) control.direction = given.get("direction");
    if (given.get("ignore")) control.ignore = given.get("ignore") === "true";
    const address = `${this.url}/controls${search({ metric: this.target })}`;
    deed(event.submitter ?? this.form.querySelector("[type=submit]"), async () => {
      this.#show(await put(address, control));
      toast(`Saved for ${this.#name}`);
    });
  }

  async #clear() {
    this.#show(await put(`${this.url}/controls${search({ metric: this.target })}`, {}));
    toast(`Cleared for ${this.#name}`);
  }

  async #snooze(snoozed) {
    const metric = this.target ? { metric: this.target } : {};
    const answer = await askSnooze(`Snooze ${this.#name}`, snoozed, (body) => post(`${this.url}/snooze`, { ...body, ...metric }));
    if (!answer) return;
    this.#show(answer);
    const until = ms(this.own.snoozed_until);
    toast(until > Date.now() ? `Snoozed until ${local(until)}: ${this.#name}` : `Snoozed no more: ${this.#name}`);
  }

  get #name() {
    if (!this.target) return this.id;
    return this.target === WHOLE ? `${this.id} as a whole` : `${this.id}, ${this.target}`;
  }
}
