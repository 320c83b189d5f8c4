// Who is signed in: a token in this tab's storage, and how it came there. It is never shown or logged.

const TOKEN = "weir.token";
const REFRESH = "weir.refresh";
const PENDING = "weir.sign-in";
const TOKEN_FORM = /^[A-Za-z0-9._~+/=-]{20,16384}$/;

class Session extends EventTarget {
  config = { issuer: "", audience: "", client_id: "", version: "" };
  why = ""; // why there is no token any more

  token() {
    return sessionStorage.getItem(TOKEN) ?? "";
  }

  /** Take a token; false if it cannot be one. */
  begin(token, refresh = "") {
    if (!TOKEN_FORM.test(token)) return false;
    this.why = "";
    sessionStorage.setItem(TOKEN, token);
    if (refresh) sessionStorage.setItem(REFRESH, refresh);
    this.dispatchEvent(new Event("change"));
    return true;
  }

  end(why = "") {
    const was = this.token();
    this.why = why;
    sessionStorage.removeItem(TOKEN);
    sessionStorage.removeItem(REFRESH);
    if (was) this.dispatchEvent(new Event("change"));
  }

  /** A token from the URL's fragment (#token=…), which does not stay there. */
  fromFragment() {
    const given = new URLSearchParams(location.hash.slice(1));
    if (!location.hash.startsWith("#token=")) return false;
    history.replaceState(null, "", `${location.pathname}#${given.get("to") ?? "/"}`);
    if (!this.begin(given.get("token") ?? "")) this.end("The address held something that is no token. Sign in with another.");
    return true;
  }

  /** Go to the issuer to sign in: authorization code with PKCE (RFC 7636). */
  async signIn() {
    const { authorization_endpoint: endpoint } = await this.#discover();
    const pending = { state: random(), verifier: random(), to: location.hash };
    sessionStorage.setItem(PENDING, JSON.stringify(pending));
    const { client_id, audience } = this.config;
    const url = new URL(endpoint);
    const query = {
      response_type: "code",
      client_id,
      redirect_uri: here(),
      scope: "openid",
      state: pending.state,
      code_challenge: await challenge(pending.verifier),
      code_challenge_method: "S256",
      ...(audience && audience !== client_id ? { audience } : {}),
    };
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    location.assign(url);
  }

  /** Back from the issuer: the code for a token. */
  async comeBack() {
    const given = new URLSearchParams(location.search);
    const pending = JSON.parse(sessionStorage.getItem(PENDING) ?? "null");
    if (!given.has("state") || !(given.has("code") || given.has("error"))) return;
    sessionStorage.removeItem(PENDING);
    history.replaceState(null, "", location.pathname + (pending?.to || "#/"));
    if (!pending || pending.state !== given.get("state")) {
      return this.end("That answer of the issuer was not for this tab. Sign in again.");
    }
    if (given.has("error")) {
      return this.end(`The issuer refused: ${given.get("error_description") || given.get("error")}.`);
    }
    try {
      await this.#exchange({
        grant_type: "authorization_code",
        code: given.get("code"),
        redirect_uri: here(),
        code_verifier: pending.verifier,
      });
    } catch (error) {
      this.end(`Signing in failed: ${error.message}.`);
    }
  }

  /** After a 401: another token for `spent`, if the issuer gave the means. At most one at a time. */
  async renew(spent) {
    if (this.token() && this.token() !== spent) return true;
    const refresh = sessionStorage.getItem(REFRESH);
    if (!refresh || !this.config.client_id) return false;
    this.renewing ??= this.#exchange({ grant_type: "refresh_token", refresh_token: refresh })
      .then(() => true, () => false)
      .finally(() => (this.renewing = undefined));
    return this.renewing;
  }

  async #discover() {
    const issuer = this.config.issuer.replace(/\/$/, "");
    return answer(await fetch(`${issuer}/.well-known/openid-configuration`, { credentials: "omit" }));
  }

  async #exchange(fields) {
    const { token_endpoint } = await this.#discover();
    const body = new URLSearchParams({ client_id: this.config.client_id, ...fields });
    const given = await answer(await fetch(token_endpoint, { method: "POST", body, credentials: "omit" }));
    if (!this.begin(given.access_token ?? "", given.refresh_token)) throw new Error("it gave no token");
  }
}

export const session = new Session();

async function answer(response) {
  const document = await response.json().catch(() => ({}));
  if (response.ok) return document;
  throw new Error(document.error_description || document.error || `the issuer answers ${response.status}`);
}

function here() {
  return location.origin + location.pathname;
}

function random() {
  return base64(crypto.getRandomValues(new Uint8Array(32)));
}

async function challenge(verifier) {
  return base64(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
}

function base64(bytes) {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}
