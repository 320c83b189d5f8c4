// Dialogs and messages. The browser keeps the focus in a modal dialog, and Escape closes it.

import { button, h } from "./dom.js";

/**
 * Ask in a dialog. `content` are the form's fields, `send(form)` does it; while it throws, the
 * dialog stays and says why. Resolves to what `send` gave, or undefined if it was cancelled.
 */
export function ask(title, content, { label, send, extra = [] }) {
  const before = document.activeElement;
  return new Promise((resolve) => {
    let result;
    const trouble = h("p", { class: "trouble", role: "alert" });
    const submit = h("button", { type: "submit", class: "primary" }, label);
    const run = async (task) => {
      trouble.replaceChildren();
      submit.disabled = true;
      try {
        result = await task();
        dialog.close();
      } catch (error) {
        trouble.replaceChildren(sentence(error.message));
      } finally {
        submit.disabled = false;
      }
    };
    const form = h(
      "form",
      {
        onsubmit(event) {
          event.preventDefault();
          run(() => send(form));
        },
      },
      h("h2", { id: "dialog-title" }, title),
      content,
      trouble,
      h(
        "div", { class: "actions" },
        extra.map(([text, task]) => button(text, () => run(task))),
        button("Cancel", () => dialog.close()),
        submit,
      ),
    );
    const dialog = h("dialog", {
      "aria-labelledby": "dialog-title",
      onclose() {
        dialog.remove();
        if (before?.isConnected) before.focus({ preventScroll: true });
        resolve(result);
      },
    }, form);
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** A dialog that only says something. */
export function tell(title, ...content) {
  const before = document.activeElement;
  const dialog = h("dialog", {
    "aria-labelledby": "dialog-title",
    onclose() {
      dialog.remove();
      if (before?.isConnected) before.focus({ preventScroll: true });
    },
  },
  h("h2", { id: "dialog-title" }, title), content,
  h("div", { class: "actions" }, button("Close", () => dialog.close(), { class: "primary" })));
  document.body.append(dialog);
  dialog.showModal();
}

/** A word at the foot of the page, for some seconds: what was done, or why it was not. */
export function toast(text, { bad = false } = {}) {
  const node = h("p", { class: bad ? "toast bad" : "toast" }, bad ? "⚠ " : "✓ ", sentence(text));
  document.getElementById("toasts").append(node);
  setTimeout(() => node.remove(), bad ? 12_000 : 5000);
}

export function sentence(text) {
  const upper = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(upper) ? upper : `${upper}.`;
}
