const api = document.querySelector('meta[name="tenantgate-api"]').content;
// The provider returns the browser to this page.
const redirectUri = location.origin + location.pathname;

// Only in this variable: every script of the origin can read a browser's storage, also later.
let accessToken = null;

class Refused extends Error {
  constructor({ code, message, detail = null, request_id: requestId = null }) {
    super(message);
    Object.assign(this, { code, detail, requestId });
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
  const body = await response.json();
  if (!response.ok) {
    // API Gateway's own errors have only a message.
    throw new Refused(body.error ?? { code: response.status, message: body.message });
  }
  return body;
}

async function signIn() {
  const query = new URLSearchParams({ redirect_uri: redirectUri });
  const { authorization_url: url } = await call(`/api/v1/auth/login?${query}`);
  location.assign(url);
}

async function completeSignIn() {
  const returned = Object.fromEntries(new URLSearchParams(location.search));
  if (!("state" in returned)) return;
  // The code must not stay in the address bar and the history.
  history.replaceState(null, "", location.pathname);
  const { access_token: token } = await call("/api/v1/auth/callback", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(returned),
  });
  accessToken = token;
}

async function validate() {
  const result = await call("/api/v1/auth/validate", { headers: { authorization: `Bearer ${accessToken}` } });
  show("result", JSON.stringify(result, null, 2));
}

async function signOut() {
  const { logout_url: url } = await call("/api/v1/auth/logout", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ redirect_uri: redirectUri }),
  });
  accessToken = null;
  location.assign(url);
}

function show(id, text) {
  const element = document.getElementById(id);
  // Never as HTML: the text may come from the provider or from the address bar.
  element.textContent = text;
  element.hidden = text === "";
}

function render() {
  const signedIn = accessToken !== null;
  show("status", signedIn ? "You are signed in." : "You are signed out.");
  document.getElementById("sign-in").hidden = signedIn;
  document.getElementById("validate").hidden = !signedIn;
  document.getElementById("sign-out").hidden = !signedIn;
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

for (const [id, action] of Object.entries({ "sign-in": signIn, validate, "sign-out": signOut })) {
  document.getElementById(id).addEventListener("click", () => run(action));
}
run(completeSignIn);
