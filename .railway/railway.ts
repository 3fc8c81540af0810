// The whole project on Railway: PostgreSQL, Valkey and the API. `railway config plan` shows what would change.
// docs/RAILWAY_ENV.md is written from the variables below (`make docs`): a comment says why a variable has its value,
// and `template:` what it is in a one-click template, where it isn't the same.

import { defineRailway, image, postgres, preserve, project, service } from "railway/iac";

export default defineRailway((ctx) => {
  const database = postgres("Postgres");

  const cache = service("Valkey", {
    source: image("valkey/valkey:9"),
    // A cache, so it keeps nothing. When it is full it refuses writes: evicting an entry could bring back an ended
    // session. The image's entry point leaves root. The private network has IPv6 addresses, too.
    start:
      'sh -c \'exec docker-entrypoint.sh valkey-server --bind "*" "-::*" --save "" --appendonly no --maxmemory 128mb ' +
      '--maxmemory-policy noeviction --requirepass "${VALKEY_PASSWORD:?set it to a long random text}"\'',
    deploy: { restartPolicyType: "ON_FAILURE", restartPolicyMaxRetries: 3 },
    env: {
      // Without it, Valkey doesn't start: everything in the private network could read and change it.
      // template: ${{secret(43, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")}}
      VALKEY_PASSWORD: preserve(),
      // For the API.
      REDIS_URL: "redis://default:${{VALKEY_PASSWORD}}@${{RAILWAY_PRIVATE_DOMAIN}}:6379/0",
    },
  });

  // Without a source: `railway up` deploys this checkout. To deploy each push, connect a repository in its settings.
  const api = service("API", {
    build: { builder: "DOCKERFILE", dockerfilePath: "container/Dockerfile" },
    // Once for each deployment, before its replicas start.
    preDeploy: "python -m container.migrate",
    healthcheck: "/api/v1/health/ready",
    healthcheckTimeout: 30,
    replicas: ctx.isEnvironment("production") ? 2 : 1,
    deploy: {
      restartPolicyType: "ON_FAILURE",
      restartPolicyMaxRetries: 3,
      // From SIGTERM to SIGKILL: DRAIN_SECONDS (5), up to 20 seconds for the requests in progress, and a margin.
      drainingSeconds: 30,
    },
    env: {
      // The domain that `railway domain` generated, or your own.
      PUBLIC_BASE_URL: "https://${{RAILWAY_PUBLIC_DOMAIN}}",
      // Replace it by the origins of your web apps, separated by commas.
      ALLOWED_ORIGINS: "https://${{RAILWAY_PUBLIC_DOMAIN}}",
      // A superuser's. The container migrates with it, creates a login for the application, and serves with that one.
      DATABASE_URL: database.env.DATABASE_URL,
      // The private network is encrypted, but no authority has signed its servers' certificates: none can be verified.
      DATABASE_TLS: "private-network",
      // This project's Valkey, by its name in the private network.
      REDIS_URL: cache.env.REDIS_URL,
      // As for PostgreSQL. This Valkey itself speaks no TLS.
      REDIS_TLS: "private-network",
      // Your OpenID provider.
      // template: (asked)
      OIDC_ISSUER_URL: preserve(),
      // The registration at the provider. Its redirect URI is `<PUBLIC_BASE_URL>/api/v1/auth/callback`.
      // template: (asked)
      OIDC_CLIENT_ID: preserve(),
      // The secret of that registration. Seal it.
      // template: (asked)
      OIDC_CLIENT_SECRET: preserve(),
      // A key from `tenantgate keys new`. Seal it.
      // template: ${{secret(42, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")}}${{secret(1, "AEIMQUYcgkosw048")}}=
      COOKIE_SEALING_KEYS: preserve(),
      // Another key from `tenantgate keys new`. Seal it, and keep a copy apart from the backups: without it, stored data is lost.
      // template: ${{secret(42, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")}}${{secret(1, "AEIMQUYcgkosw048")}}=
      KEY_ENCRYPTION_KEYS: preserve(),
      // A third one, which signs the audit log. Seal it, and never remove it: the log's checkpoints verify with it.
      // template: ${{secret(42, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")}}${{secret(1, "AEIMQUYcgkosw048")}}=
      AUDIT_SIGNING_KEYS: preserve(),
    },
  });

  return project("tenantgate", { resources: [database, cache, api] });
});
