// Building elements. Text is always text: nothing in the console parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element. `props` are attributes, but `on…` are listeners and `data` is the dataset. */
export function h(tag, props, ...children) {
  return dress(document.createElement(tag), props, children);
}

export function svg(tag, props, ...children) {
  return dress(document.createElementNS(SVG, tag), props, children);
}

function dress(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "value") node.value = value;
    else if (name === "checked") node.checked = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Replace the children of `parent`, and let the focus be where it was (by data-focus). */
export function fill(parent, ...children) {
  const focused = focusWithin(parent);
  parent.replaceChildren(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  if (focused) refocus(parent, focused);
  return parent;
}

function focusWithin(parent) {
  const active = document.activeElement;
  return active && active !== parent && parent.contains(active) ? active.dataset.focus || "*" : "";
}

function refocus(parent, name) {
  const found = [...parent.querySelectorAll("[data-focus]")].find((node) => node.dataset.focus === name);
  (found && !found.disabled ? found : parent.querySelector("a, button:not(:disabled)"))?.focus({ preventScroll: true });
}

/**
 * A list that keeps its nodes: one a key, made anew only when its item changed, put in order.
 * `make(item)` makes a node.
 */
export class Keyed {
  constructor(parent, keyOf, make) {
    Object.assign(this, { parent, keyOf, make, nodes: new Map() });
  }

  show(items, more = "") {
    const nodes = new Map();
    let place = this.parent.firstElementChild;
    for (const item of items) {
      const key = this.keyOf(item);
      const text = JSON.stringify(item) + more;
      let kept = this.nodes.get(key);
      if (!kept || kept.text !== text) {
        const node = this.make(item);
        if (kept) {
          const focused = focusWithin(kept.node);
          if (kept.node === place) place = node;
          kept.node.replaceWith(node);
          if (focused) refocus(node, focused);
        }
        kept = { node, text };
      }
      nodes.set(key, kept);
      if (kept.node === place) place = place.nextElementSibling;
      else this.parent.insertBefore(kept.node, place);
    }
    for (const [key, { node }] of this.nodes) if (!nodes.has(key)) node.remove();
    this.nodes = nodes;
  }
}

// Shapes tell severities and states apart where colours do not.
const DISC = { cx: 8, cy: 8, r: 6.5 };
const RING = { ...DISC, class: "hollow" };
const SHAPES = {
  critical: ["path", { d: "M5 1h6l4 4v6l-4 4H5l-4-4V5z" }, "M8 4v5M8 11.2v.6"],
  major: ["path", { d: "M8 1.2 15.2 14.5H.8z" }, "M8 6v4M8 11.8v.6"],
  minor: ["circle", DISC, "M8 5v4M8 10.7v.6"],
  alerting: ["path", { d: "M8 1.2 15.2 14.5H.8z" }, "M8 6v4M8 11.8v.6"],
  reporting: ["circle", DISC, "M5 8.2 7.2 10.4 11 6"],
  silent: ["circle", RING, "M4.5 8h7"],
  snoozed: ["circle", RING, "M8 4.5V8l2.5 2"],
  "theme-system": ["circle", RING, "M8 2v12A6 6 0 0 1 8 2"],
  "theme-light": ["circle", { ...RING, r: 3.2 }, "M8 .5v2M8 13.5v2M.5 8h2M13.5 8h2M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1"],
  "theme-dark": ["path", { d: "M13.5 10A6 6 0 0 1 6 2.5a6 6 0 1 0 7.5 7.5z", class: "hollow" }, ""],
  done: ["circle", RING, "M5 8.2 7.2 10.4 11 6"],
};

export function icon(name) {
  const [tag, props, line] = SHAPES[name];
  return svg(
    "svg",
    { class: `icon ${name}`, viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" },
    svg(tag, props),
    svg("path", { d: line, class: "sign" }),
  );
}

/** A word with its shape: a severity, or a device's state. */
export function badge(name, word = name) {
  return h("span", { class: `badge ${name}` }, icon(name), word);
}

/** A control with its label beside it. */
export function pair(id, label, control) {
  return h("span", { class: "pair" }, h("label", { for: id }, label), control);
}

export function button(label, onclick, props) {
  return h("button", { type: "button", onclick, ...props }, label);
}
