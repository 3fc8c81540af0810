// A certified OpenID provider on a free loopback port, for the tests of signing in.
//
// Reads its configuration as JSON in PROVIDER_CONFIG:
//   clients          as in oidc-provider's configuration
//   resource         the only resource indicator; access tokens for it are JWTs with this audience
//   defaultFor       ids of clients whose tokens are for that resource even without a request for it
//   tenants          account → value of the access token's tenant_id
// Rotates refresh tokens at each use. GET /redemptions counts the refresh tokens that were redeemed.
// Prints {"issuer": …} on one line when it is ready, and exits at the end of its standard input.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';

import Provider, { errors } from 'oidc-provider';

const { clients, resource, defaultFor, tenants } = JSON.parse(process.env.PROVIDER_CONFIG);

const signingKey = (type, options, alg) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }),
  use: 'sig',
  alg,
  kid: alg.toLowerCase(),
});

const configuration = {
  clients,
  jwks: {
    keys: [
      signingKey('rsa', { modulusLength: 2048 }, 'RS256'),
      signingKey('ec', { namedCurve: 'P-256' }, 'ES256'),
    ],
  },
  cookies: { keys: ['only-a-test'] },
  scopes: ['openid', 'profile', 'email', 'offline_access'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  pkce: { required: () => true },
  ttl: { AccessToken: 1800, AuthorizationCode: 60, IdToken: 600, RefreshToken: 86400 },
  rotateRefreshToken: () => true,
  // By default it calls no loopback address, where the tests run.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.test`, email_verified: true, name: id }),
  }),
  extraTokenClaims: (ctx, token) => (tenants[token.accountId] ? { tenant_id: tenants[token.accountId] } : {}),
  features: {
    devInteractions: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    backchannelLogout: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx, client) => (defaultFor.includes(client.clientId) ? resource : undefined),
      useGrantedResource: (ctx, source) => defaultFor.includes(source.clientId),
      getResourceServerInfo: (ctx, indicator, client) => {
        if (indicator !== resource) throw new errors.InvalidTarget();
        return {
          scope: '',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 1800,
          jwt: { sign: { alg: client.idTokenSignedResponseAlg } },
        };
      },
    },
  },
};

// In the code flow `at_hash` is optional (OpenID Connect Core §3.1.3.6) and this provider leaves it out. This
// switches on the provider's own code for it.
function addAccessTokenHashes({ AccessToken, IdToken }) {
  const issued = new WeakMap();
  const { save } = AccessToken.prototype;
  AccessToken.prototype.save = async function (...options) {
    const token = await save.apply(this, options);
    issued.set(Provider.ctx, token);
    return token;
  };
  const { issue } = IdToken.prototype;
  IdToken.prototype.issue = function (options) {
    if (issued.has(this.ctx)) this.set('at_hash', issued.get(this.ctx));
    return issue.call(this, options);
  };
}

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration);
  addAccessTokenHashes(provider);
  let redemptions = 0;
  provider.on('refresh_token.consumed', () => {
    redemptions += 1;
  });
  const respond = provider.callback();
  server.on('request', (request, response) => {
    if (request.url === '/redemptions') {
      response.end(String(redemptions));
    } else {
      respond(request, response);
    }
  });
  console.log(JSON.stringify({ issuer }));
});
// The test holds the other end, so this process ends with the test, even after a crash.
process.stdin.resume().on('end', () => process.exit(0));
