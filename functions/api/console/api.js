// Requests to the API: the operator's token, entity tags, and errors in its own words.

import { session } from "./session.js";

const KEPT = 40;
const TIMEOUT = 30_000;

/** An answer that is none: `status` 0 is no answer at all. */
export class ApiError extends Error {
  constructor(status, code, detail, retryAfter = 0) {
    super(detail);
    Object.assign(this, { status, code, retryAfter });
  }
}

const kept = new Map(); // url -> {etag, document}

/** GET a document; the same object again as long as the API says it has not changed. */
export async function get(path, { query = {}, signal } = {}) {
  const url = path + search(query);
  const known = kept.get(url);
  const response = await send(url, { headers: known ? { "if-none-match": known.etag } : {}, signal });
  if (response.status === 304 && known) return known.document;
  const document = await read(response);
  const etag = response.headers.get("etag");
  kept.delete(url);
  if (etag) kept.set(url, { etag, document });
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
  return document;
}

export async function post(path, body) {
  return read(await send(path, json("POST", body)));
}

export async function put(path, body) {
  return read(await send(path, json("PUT", body)));
}

export function forget() {
  kept.clear();
}

/** Parameters as a query; a list is the parameter again and again, and what is empty is left out. */
export function search(query) {
  const made = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== "") made.append(name, one);
    }
  }
  const text = made.toString();
  return text && `?${text}`;
}

function json(method, body) {
  return { method, body: JSON.stringify(body), headers: { "content-type": "application/json" } };
}

async function send(url, options, again = true) {
  const { headers, signal, ...rest } = options;
  const timeout = AbortSignal.timeout(TIMEOUT);
  const token = session.token();
  let response;
  try {
    response = await fetch(url, {
      ...rest,
      cache: "no-store",
      credentials: "omit",
      headers: { accept: "application/json", ...headers, authorization: `Bearer ${token}` },
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    const late = timeout.aborted;
    throw new ApiError(0, "unreachable", late ? "the API took too long to answer" : "the API cannot be reached");
  }
  if (response.status === 401) {
    if (again && (await session.renew(token))) return send(url, options, false);
    session.end("Your sign-in is not valid any more. Sign in again.");
    throw new ApiError(401, "unauthenticated", "you are signed out");
  }
  return response;
}

async function read(response) {
  const text = await response.text();
  let document = null;
  try {
    document = JSON.parse(text);
  } catch {
    if (response.ok) throw new ApiError(response.status, "unreadable", "the API's answer is not JSON");
  }
  if (response.ok) return document;
  const detail = document?.detail || document?.message || `the API answers ${response.status}`;
  throw new ApiError(response.status, document?.code || "", detail, Number(response.headers.get("retry-after")) || 0);
}
