// Signing in: at the issuer, or with a token that one has.

import { button, fill, h } from "./dom.js";
import { session } from "./session.js";

export function signInPage(main) {
  const { issuer, client_id: client } = session.config;
  const trouble = h("p", { id: "sign-in-trouble", class: "trouble", role: "alert" }, session.why);
  const field = h("input", {
    id: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true,
    "aria-describedby": "token-hint sign-in-trouble",
  });
  const form = h(
    "form",
    {
      onsubmit(event) {
        event.preventDefault();
        const token = field.value.trim().replace(/^Bearer\s+/i, "");
        field.value = "";
        if (!session.begin(token)) fill(trouble, "That is not a token: it has characters that none has, or too few.");
      },
    },
    h("label", { for: "token" }, "An operator’s token"),
    field,
    h("p", { id: "token-hint", class: "hint" }, "On a local stack, this prints one: ", h("code", {}, "weir status --get operator_token"), ". It is kept in this tab only."),
    h("button", { type: "submit", class: client ? "" : "primary" }, "Use this token"),
  );
  const atIssuer = client && [
    button("Sign in", async (event) => {
      event.target.disabled = true;
      try {
        await session.signIn();
      } catch (error) {
        event.target.disabled = false;
        fill(trouble, `The issuer cannot be asked: ${error.message}.`);
      }
    }, { class: "primary wide" }),
    h("p", { class: "hint" }, "You sign in at ", h("strong", {}, hostOf(issuer)), " and come back here."),
  ];
  const lost = issuer === "" && session.config.version !== "" && h(
    "p", { class: "note" },
    "This deployment names no issuer, so its operators’ routes are not there. Deploy it with the parameter ",
    h("code", {}, "OidcIssuer"), ".",
  );
  fill(
    main,
    h(
      "div", { class: "sign-in panel" },
      h("h1", { tabindex: -1 }, "Sign in to Weir"),
      trouble,
      lost,
      atIssuer,
      client ? h("details", {}, h("summary", {}, "Use a token instead"), form) : form,
    ),
  );
}

function hostOf(url) {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}
