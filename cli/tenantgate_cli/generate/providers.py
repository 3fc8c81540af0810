"""Write `docs/AUTH_CONFIGURATION.md` and the README's table from the recipes in `docs/providers/`.

A recipe is one TOML file: the settings here and at the provider, and the provider's discovery document, key sets and
tokens in their real form. `tests/integration/providers` runs each recipe with the settings that the page shows.
"""

from __future__ import annotations

import json
import re
import textwrap
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path("docs/providers")
# Providers that work without restrictions come first.
ORDER = (
    "auth0",
    "cognito",
    "entra-v2",
    "entra-v1",
    "entra-b2c",
    "keycloak",
    "okta",
    "ad-fs",
    "zitadel",
    "generic",
    "clerk",
    "supabase",
    "google",
    "apple",
)
_BEGIN, _END = "<!-- providers: written by `make docs` -->", "<!-- /providers -->"


@dataclass(frozen=True, slots=True)
class Recipe:
    """The recipe of one provider.

    works  `sign-in` (bearer tokens too), `bearer`, `id-tokens` or `nothing`
    data   the contents of the file
    """

    name: str
    works: str
    data: Mapping[str, Any]

    @property
    def title(self) -> str:
        return str(self.data["title"])

    @property
    def settings(self) -> str:
        """The environment variables, in the form of a `.env` file."""
        return str(self.data["settings"]).strip()

    @property
    def discovery(self) -> Mapping[str, object]:
        document: Mapping[str, object] = json.loads(self.data["discovery"])
        return document


def read_recipes(folder: Path = FOLDER) -> list[Recipe]:
    """Return every recipe in the order of the page. Raises KeyError if the files and `ORDER` differ."""
    files = {file.stem: tomllib.loads(file.read_text(encoding="utf-8")) for file in folder.glob("*.toml")}
    if files.keys() != set(ORDER):
        raise KeyError(f"docs/providers and ORDER differ: {sorted(files.keys() ^ set(ORDER))}")
    for data in files.values():
        if "discovery_of" in data:
            data["discovery"] = files[data["discovery_of"]]["discovery"]
    return [Recipe(name, files[name].get("works", "sign-in"), files[name]) for name in ORDER]


_HEAD = """\
# Authentication

Tenantgate works with any OpenID provider whose access tokens have [these claims](#claims-that-a-token-needs). Each
provider below has a recipe: the settings here and at the provider, the form of its access token, and the limits. The
tests run every recipe with the settings below: they serve the provider's discovery document and key sets under its real
host names, and sign tokens in its form with their own keys. They don't contact the providers.

<!-- Written by `make docs` from docs/providers -->

{table}

## Common to all providers

- [CONFIGURATION.md](CONFIGURATION.md) describes `PUBLIC_BASE_URL`, `ALLOWED_ORIGINS`, every other variable, and every
  member of `TRUSTED_ISSUERS`. The blocks below have the form of a `.env` file.
- Register `<PUBLIC_BASE_URL>/api/v1/auth/callback` at the provider as a redirect URI of a confidential client that
  uses the authorization code grant. Its secret is `OIDC_CLIENT_SECRET`, in Secrets Manager.
- Access tokens must be JWTs with an asymmetric signature, an audience and one tenant. Only administrators may control
  the tenant claim: if users can edit it, they can choose their tenant.
- A token may be valid for at most `JWT_MAX_LIFETIME_MINUTES` (60). Shorten the lifetime at the provider rather than
  raise the limit.
- ID tokens are rejected as bearer tokens, unless the issuer's entry has `allow_id_tokens`.
- A refresh token renews a session whose access token has expired; without one, the user signs in again. Most providers
  issue it for the scope `offline_access` in `OIDC_SCOPES`, and the recipes name the exceptions. The built-in provider
  of `make dev` issues it unless you set `OIDC_SCOPES` without that scope. Google would need the parameters
  `access_type=offline` and `prompt=consent` instead (`OIDC_AUTHORIZE_PARAMS`).
- If the provider supports OpenID Connect Back-Channel Logout (`backchannel_logout_supported` in its discovery
  document), register `<PUBLIC_BASE_URL>/api/v1/auth/backchannel-logout` at it: a sign-out at the provider then ends the
  sessions here at once. The provider must reach this URL, and its logout tokens need `jti` and `exp`, at most one hour
  after `iat`. With other providers, a session lasts until its user signs out here or it times out.
- If the provider sends security events (Shared Signals Framework, CAEP, RISC), [SECURITY_EVENTS.md](SECURITY_EVENTS.md)
  has the settings: a disabled account or a revoked session then ends here within a second of its event.
- With several providers, one of them signs people in; each of the others has an entry in `TRUSTED_ISSUERS`. If a
  customer runs an issuer, bind the issuer to that customer with `tenants`.
- `tenantgate explain --token-file F` shows which check a token fails. If a sign-in fails with `AUTH_009` or `AUTH_005`,
  `detail` names the setting.

## Claims that a token needs

| claim | required | value |
|---|---|---|
| `iss` | yes | `OIDC_ISSUER_URL` or another trusted issuer, to the last character |
| `aud` | yes | one of `OIDC_AUDIENCE` (the issuer's `audience_claims` can name another claim) |
| `sub` | yes | the user, by an id that never changes (`claims.user_id` can name another claim) |
| `exp` | yes | in the future, and at most `JWT_MAX_LIFETIME_MINUTES` after `iat` |
| `iat` | yes | the time of issue, in seconds since 1970 |
| `tenant_id` | yes | one tenant like `TENANT_ID_PATTERN` (`org-{{uuid}}`); `JWT_TENANT_CLAIM_NAME` names its claims |
| `nbf` | no | if present, not in the future |
| `jti` | no | if present, a text: it names the token when it is revoked |
| `scope` | no | the scopes for the route rules, separated by spaces, or a list in `scp` |
| `roles` | no | roles (`JWT_ROLES_CLAIM_NAME` names the claims) |

The header has `alg` (RS256, PS256, ES256, EdDSA or their longer forms, never HS256 or `none`), and should have the
`kid` of a key in the issuer's key set. A token is at most 16 KB long. AUTHORIZER.md describes
[nested claims](AUTHORIZER.md#how-claims-are-read), and
[how access tokens are distinguished from ID tokens](AUTHORIZER.md#access-tokens-and-id-tokens).
"""

_TAIL = """\

## SAML through a broker

Tenantgate supports only OpenID Connect. For customers with SAML, let your provider be the broker: it is the service
provider of the customer's SAML identity provider, and the OpenID provider of Tenantgate.

| broker | connection of a customer | tenant |
|---|---|---|
| Auth0 | an enterprise connection *SAML*, enabled for the customer's Organization | `org_id` |
| Keycloak | an identity provider *SAML v2.0*, linked to the customer's Organization | `organization` |
| Okta | an identity provider *SAML 2.0* with a group for its users | a claim from that group |
| Entra ID | *Enterprise applications*, or B2C with a custom policy | the directory, or a claim of the policy |
| Cognito | a SAML provider in the user pool | the trigger, from the name of the provider in `identities` |

The settings are those of the broker's recipe: Tenantgate sees only the broker's tokens.

- **The connection decides the tenant, never an attribute in the assertion.** A customer's identity provider can write
  any tenant into an attribute. In Cognito, a mapped attribute must also be writable by the app client: don't map the
  tenant.
- Accept only sign-ins that the broker started, with signed assertions. Reject unsolicited responses (*IdP-initiated*).
- A user name of one customer must not match a user of another one: let the broker link accounts by connection and name
  id, not by e-mail.
- A sign-out at the customer's identity provider ends the session here only if the broker passes it on by back-channel
  logout. Otherwise the time-outs count.

## Local tokens

`make dev` includes an OpenID provider for development. Its access tokens have the form of RFC 9068 and the claims
above; the [demo users](../layers/shared/tenantgate/openid_provider/storage/personas.toml) have tenants and roles.

```sh
.venv/bin/tenantgate token > token.txt
.venv/bin/tenantgate token --user member@example.test --scope 'openid orders:read' --expires 5m
.venv/bin/tenantgate token --expires -5m > expired.txt
.venv/bin/tenantgate explain --token-file token.txt --route 'GET /api/v1/auth/me'
```

`tenantgate token --browser` signs in at any provider and prints that provider's token. The built-in provider exists
only with `ENVIRONMENT=development`: no other deployment has its routes, and its tokens are signed with keys that only
that database has.
"""


def auth_configuration_page() -> str:
    """The page's Markdown."""
    recipes = read_recipes()
    return _HEAD.format(table=_table(recipes, link="")) + "".join(_section(recipe) for recipe in recipes) + _TAIL


def readme() -> str:
    """Return the README with its table of providers updated."""
    text = Path("README.md").read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2]
    return f"{before}{_BEGIN}\n\n{_table(read_recipes(), link='docs/AUTH_CONFIGURATION.md')}\n\n{_END}{after}"


def _table(recipes: list[Recipe], *, link: str) -> str:
    lines = ["| provider | signing in | bearer tokens | signing out |", "|---|---|---|---|"]
    for recipe in recipes:
        data = recipe.data
        title = f"[{recipe.title}]({link}#{_anchor(recipe.title)})"
        lines.append(f"| {title} | {data['sign_in']} | {data['bearer']} | {data['sign_out']} |")
    return "\n".join(lines)


def _anchor(title: str) -> str:
    # GitHub's anchor for a heading.
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


def _section(recipe: Recipe) -> str:
    data = recipe.data
    parts = [f"\n## {recipe.title}\n", f"{_wrapped(data['summary'])}\n", f"```sh\n{recipe.settings}\n```\n"]
    parts += ["At the provider:\n", *(_wrapped(step, mark="- ") for step in data["at_the_provider"]), ""]
    if "code" in data:
        code = Path(data["code"]).read_text(encoding="utf-8").strip()
        parts += [f"{_wrapped(data['code_text'])}\n", f"```python\n{code}\n```\n"]
    if "claims" in data["access_token"]:
        parts += ["Its access token:\n", f"```text\n{_sample(data['access_token'])}\n```\n"]
    parts += ["Limits:\n", *(_wrapped(limit, mark="- ") for limit in data["limits"])]
    return "\n".join(parts) + "\n"


def _wrapped(text: str, *, mark: str = "") -> str:
    return textwrap.fill(
        " ".join(text.split()),
        118,
        initial_indent=mark,
        subsequent_indent=" " * len(mark),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _sample(token: Mapping[str, str]) -> str:
    """Return the decoded header and claims, with the times of one day."""
    text = f"{token['header'].strip()}\n.\n{token['claims'].strip()}"
    return re.sub(r'"\{now([+-]\d+)?\}"', lambda found: str(1795600800 + int(found[1] or 0)), text)
