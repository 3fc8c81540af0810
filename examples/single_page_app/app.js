const api = document.querySelector('meta[name="tenantgate-api"]').content;
// The provider returns the browser to this page.
const redirectUri = location.origin + location.pathname;

// A request with the access token isn't a use of the session, which would end by its idle timeout: while the app is
// used, it refreshes this often.
const RENEW_SECONDS = 10 * 60;
// No cookie, a session that has ended, and one that has ended because an earlier cookie came again.
const NO_SESSION = new Set(["AUTH_007", "AUTH_020", "AUTH_023"]);

// Only in these variables: every script of the origin can read a browser's storage, also later. Times are in ms.
let accessToken = null;
let endsAt = 0;
let renewAt = 0;
let csrfToken = null;
let refreshing = null;

class Refused extends Error {
  constructor({ code, message, detail = null, request_id: requestId = null }, status = 0) {
    super(message);
    Object.assign(this, { code, detail, requestId, status });
  }
}

async function call(path, { headers = {}, ...options } = {}) {
  let response;
  try {
    response = await fetch(api + path, {
      credentials: "include",
      headers: { accept: "application/json", ...headers },
      ...options,
    });
  } catch {
    // Browsers don't tell a page why: no server, or an origin that is not allowed.
    const detail = `If the API runs, its log says why ${location.origin} is refused, and what to do (ALLOWED_ORIGINS).`;
    throw new Refused({ code: "no response", message: `This page can't call ${api}`, detail });
  }
  csrfToken = response.headers.get("x-csrf-token") ?? csrfToken;
  const body = response.status === 204 ? null : await response.json();
  if (!response.ok) {
    // API Gateway's own errors have only a message.
    const refused = new Refused(body.error ?? { code: response.status, message: body.message }, response.status);
    if (NO_SESSION.has(refused.code)) forget();
    throw refused;
  }
  return body;
}

function keep({ access_token: token, expires_in: seconds }) {
  accessToken = token;
  endsAt = Date.now() + seconds * 1000;
  renewAt = Date.now() + Math.min(seconds / 2, RENEW_SECONDS) * 1000;
}

function forget() {
  accessToken = null;
  csrfToken = null;
  showSessions([]);
  show("result", "");
}

async function signIn() {
  const query = new URLSearchParams({ redirect_uri: redirectUri });
  const { authorization_url: url } = await call(`/api/v1/auth/login?${query}`);
  location.assign(url);
}

async function completeSignIn() {
  const returned = Object.fromEntries(new URLSearchParams(location.search));
  // The code must not stay in the address bar and the history.
  history.replaceState(null, "", location.pathname);
  keep(
    await call("/api/v1/auth/callback", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(returned),
    }),
  );
}

function refresh() {
  // Requests that find the token old at the same time share one refresh.
  refreshing ??= renew().finally(() => {
    refreshing = null;
  });
  return refreshing;
}

async function renew() {
  try {
    // `keepalive`: a reload must not interrupt the request, which would lose the new cookie.
    keep(await call("/api/v1/auth/refresh", { method: "POST", keepalive: true }));
  } catch (error) {
    if (accessToken !== null && Date.now() < endsAt) {
      // The token is valid until it ends.
      renewAt = Math.min(endsAt, Date.now() + RENEW_SECONDS * 1000);
      return;
    }
    if (error.code === "AUTH_022") accessToken = null;
    throw error;
  }
}

async function start() {
  try {
    if (new URLSearchParams(location.search).has("state")) await completeSignIn();
  } finally {
    if (accessToken === null) await resume();
  }
}

async function resume() {
  try {
    await refresh();
  } catch (error) {
    // Expected: no session, a session that timed out, and a session without a refresh token.
    if (!["AUTH_007", "AUTH_020", "AUTH_022"].includes(error.code)) throw error;
  }
}

async function callWithToken(path) {
  if (Date.now() >= renewAt) await refresh();
  const send = () => call(path, { headers: { authorization: `Bearer ${accessToken}` } });
  try {
    return await send();
  } catch (error) {
    if (error.status !== 401) throw error;
    endsAt = 0;
    await refresh();
    return send();
  }
}

async function validate() {
  const result = await callWithToken("/api/v1/auth/validate");
  show("result", JSON.stringify(result, null, 2));
}

function change(method, path) {
  return call(path, { method, headers: { "x-csrf-token": csrfToken } });
}

async function listSessions() {
  const { sessions, csrf_token: token } = await call("/api/v1/auth/sessions");
  csrfToken = token;
  showSessions(sessions);
}

async function endSession(id) {
  await change("DELETE", `/api/v1/auth/sessions/${id}`);
  await listSessions();
}

async function signOutEverywhere() {
  await change("DELETE", "/api/v1/auth/sessions");
  forget();
}

async function signOut() {
  const { logout_url: url } = await call("/api/v1/auth/logout", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ redirect_uri: redirectUri }),
  });
  forget();
  location.assign(url);
}

function show(id, text) {
  const element = document.getElementById(id);
  // Never as HTML: the text may come from the provider or from the address bar.
  element.textContent = text;
  element.hidden = text === "";
}

function showSessions(sessions) {
  const items = sessions.map(({ id, device, address, last_used_at: used, current }) => {
    const item = document.createElement("li");
    const name = [device ?? "Unknown device", address].filter((part) => part !== null).join(", ");
    item.append(`${name}, last used ${new Date(used * 1000).toLocaleString()} `);
    if (current) {
      item.append("(this one)");
    } else {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "End";
      button.setAttribute("aria-label", `End the session: ${name}`);
      button.addEventListener("click", () => run(() => endSession(id)));
      item.append(button);
    }
    return item;
  });
  const list = document.getElementById("sessions");
  list.replaceChildren(...items);
  list.hidden = sessions.length === 0;
}

function render() {
  const hasToken = accessToken !== null;
  const hasSession = csrfToken !== null;
  const signedIn = hasToken ? "You are signed in." : "You are signed in. Sign in again for a new access token.";
  show("status", hasSession ? signedIn : "You are signed out.");
  document.getElementById("sign-in").hidden = hasToken;
  document.getElementById("validate").hidden = !hasToken;
  for (const id of ["list-sessions", "sign-out", "sign-out-everywhere"]) {
    document.getElementById(id).hidden = !hasSession;
  }
}

function showError({ message, code = "", detail = null, requestId = null }) {
  show("error-message", message);
  show("error-detail", typeof detail === "string" || detail === null ? (detail ?? "") : JSON.stringify(detail));
  show("error-reference", requestId === null ? String(code) : `${code}, request ${requestId}`);
  document.getElementById("error").hidden = false;
}

async function run(action) {
  document.getElementById("error").hidden = true;
  try {
    await action();
  } catch (error) {
    showError(error);
  }
  render();
}

const actions = {
  "sign-in": signIn,
  validate,
  "list-sessions": listSessions,
  "sign-out": signOut,
  "sign-out-everywhere": signOutEverywhere,
};
for (const [id, action] of Object.entries(actions)) {
  document.getElementById(id).addEventListener("click", () => run(action));
}
run(start);
