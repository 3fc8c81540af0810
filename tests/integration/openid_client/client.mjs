// Signs in at a provider as a relying party, using openid-client, and prints the outcome as one JSON object.
// Plain fetch plays the browser: it opens the page, fills in its form, and follows no redirects.
import * as openid from "openid-client";

const { issuer, clientId, clientSecret, authentication, redirectUri, afterLogout, username, password } = JSON.parse(
  process.argv[2],
);

const methods = { basic: openid.ClientSecretBasic, post: openid.ClientSecretPost };
const config = await openid.discovery(new URL(issuer), clientId, clientSecret, methods[authentication](clientSecret), {
  execute: [openid.allowInsecureRequests, openid.enableNonRepudiationChecks],
});

async function authorize(changes = {}) {
  const verifier = openid.randomPKCECodeVerifier();
  const state = openid.randomState();
  const nonce = openid.randomNonce();
  const url = openid.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: "openid profile email offline_access",
    code_challenge: await openid.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
    nonce,
    ...changes,
  });
  return { url, verifier, state, nonce };
}

function unescape(text) {
  const named = { amp: "&", lt: "<", gt: ">", quot: '"', "#34": '"', "#39": "'" };
  return text.replace(/&(#?\w+);/g, (whole, name) => named[name] ?? whole);
}

async function signIn(url) {
  const page = await fetch(url, { redirect: "manual", headers: { accept: "text/html" } });
  const html = await page.text();
  const action = unescape(html.match(/<form[^>]* action="([^"]+)"/)[1]);
  const fields = new URLSearchParams({ username, password });
  for (const [input] of html.matchAll(/<input type="hidden"[^>]*>/g)) {
    fields.set(unescape(input.match(/name="([^"]+)"/)[1]), unescape(input.match(/value="([^"]*)"/)[1]));
  }
  const response = await fetch(new URL(action, url), { method: "POST", body: fields, redirect: "manual" });
  return new URL(response.headers.get("location"));
}

async function errorOf(attempt) {
  try {
    await attempt();
    return null;
  } catch (error) {
    return error.error ?? error.cause?.error ?? error.code ?? String(error);
  }
}

const outcome = {};

const good = await authorize();
const callback = await signIn(good.url);
const checks = { pkceCodeVerifier: good.verifier, expectedState: good.state, expectedNonce: good.nonce, idTokenExpected: true };
const tokens = await openid.authorizationCodeGrant(config, callback, { ...checks, maxAge: 60 });
outcome.claims = tokens.claims();
outcome.accessToken = tokens.access_token;
outcome.expiresIn = tokens.expires_in;
outcome.userinfo = await openid.fetchUserInfo(config, tokens.access_token, outcome.claims.sub);
outcome.reused = await errorOf(() => openid.authorizationCodeGrant(config, callback, checks));

const again = await authorize({ prompt: "login" });
const signedIn = await openid.authorizationCodeGrant(config, await signIn(again.url), {
  pkceCodeVerifier: again.verifier,
  expectedState: again.state,
  expectedNonce: again.nonce,
});
const refreshed = await openid.refreshTokenGrant(config, signedIn.refresh_token);
outcome.refreshedClaims = refreshed.claims();
outcome.signedInClaims = signedIn.claims();
outcome.rotated = refreshed.refresh_token !== signedIn.refresh_token;
outcome.refreshedUserinfo = await openid.fetchUserInfo(config, refreshed.access_token, outcome.refreshedClaims.sub);
const narrowed = await openid.refreshTokenGrant(config, refreshed.refresh_token, { scope: "openid email" });
outcome.narrowedScope = narrowed.scope;
outcome.widened = await errorOf(() => openid.refreshTokenGrant(config, narrowed.refresh_token, { scope: "openid phone" }));
outcome.refreshReused = await errorOf(() => openid.refreshTokenGrant(config, signedIn.refresh_token));
outcome.familyEnded = await errorOf(() => openid.refreshTokenGrant(config, narrowed.refresh_token));

// The code was sent twice above, which ended its refresh token.
outcome.codeReuseEnded = await errorOf(() => openid.refreshTokenGrant(config, tokens.refresh_token));

const toRevoke = await authorize({ prompt: "login" });
const revocable = await openid.authorizationCodeGrant(config, await signIn(toRevoke.url), {
  pkceCodeVerifier: toRevoke.verifier,
  expectedState: toRevoke.state,
  expectedNonce: toRevoke.nonce,
});
outcome.revocation = await errorOf(() => openid.tokenRevocation(config, revocable.refresh_token));
outcome.revoked = await errorOf(() => openid.refreshTokenGrant(config, revocable.refresh_token));
outcome.revocationAgain = await errorOf(() => openid.tokenRevocation(config, revocable.refresh_token));
outcome.accessTokenRevocation = await errorOf(() => openid.tokenRevocation(config, revocable.access_token));

const stolen = await authorize();
const stolenCallback = await signIn(stolen.url);
outcome.wrongVerifier = await errorOf(() =>
  openid.authorizationCodeGrant(config, stolenCallback, {
    pkceCodeVerifier: openid.randomPKCECodeVerifier(),
    expectedState: stolen.state,
    expectedNonce: stolen.nonce,
  }),
);

const silent = await authorize({ prompt: "none" });
const silentResponse = await fetch(silent.url, { redirect: "manual" });
outcome.silent = await errorOf(() =>
  openid.authorizationCodeGrant(config, new URL(silentResponse.headers.get("location")), {
    pkceCodeVerifier: silent.verifier,
    expectedState: silent.state,
    expectedNonce: silent.nonce,
  }),
);

const endSession = openid.buildEndSessionUrl(config, {
  id_token_hint: tokens.id_token,
  post_logout_redirect_uri: afterLogout,
  state: "signed-out",
});
outcome.afterLogout = (await fetch(endSession, { redirect: "manual" })).headers.get("location");

console.log(JSON.stringify(outcome));
