"""`docs/AUTH_CONFIGURATION.md` and the README's table, from the recipes in `docs/providers/`.

A recipe is one TOML file: what to set here and at the provider, and the provider's discovery document, key sets and
tokens in their true shape. `tests/integration/providers` runs each recipe by the very settings that the page shows.
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
# Those that work without reservations first, then by name.
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
    "clerk",
    "supabase",
    "google",
    "apple",
)
_BEGIN, _END = "<!-- providers: written by `make docs` -->", "<!-- /providers -->"


@dataclass(frozen=True, slots=True)
class Recipe:
    """`works`: `sign-in` (bearer tokens too), `bearer`, `id-tokens` or `nothing`. `data`: the file as it is."""

    name: str
    works: str
    data: Mapping[str, Any]

    @property
    def title(self) -> str:
        return str(self.data["title"])

    @property
    def settings(self) -> str:
        """Environment variables in the form of a `.env` file."""
        return str(self.data["settings"]).strip()

    @property
    def discovery(self) -> Mapping[str, object]:
        document: Mapping[str, object] = json.loads(self.data["discovery"])
        return document


def read_recipes(folder: Path = FOLDER) -> list[Recipe]:
    """Every recipe, in the order of the page. Raises `KeyError` where the files and `ORDER` differ."""
    files = {file.stem: tomllib.loads(file.read_text(encoding="utf-8")) for file in folder.glob("*.toml")}
    if files.keys() != set(ORDER):
        raise KeyError(f"docs/providers and ORDER differ: {sorted(files.keys() ^ set(ORDER))}")
    for data in files.values():
        if "discovery_of" in data:
            data["discovery"] = files[data["discovery_of"]]["discovery"]
    return [Recipe(name, files[name].get("works", "sign-in"), files[name]) for name in ORDER]


_HEAD = """\
# Providers

One recipe for each provider: what to set here, what to set there, how its access token looks, and what doesn't work.
The tests run every recipe: they serve the provider's discovery document and key sets under its real host names, sign
tokens of its shape with keys of their own, and take them through the settings below. They are not run against the
providers themselves.

<!-- Written by `make docs` from docs/providers -->

{table}

## What all of them have in common

- `PUBLIC_BASE_URL` and `ALLOWED_ORIGINS` are set as [CONFIGURATION.md](CONFIGURATION.md) says, which lists every
  variable and every member of `TRUSTED_ISSUERS`. The blocks below have the form of a `.env` file.
- Register `<PUBLIC_BASE_URL>/api/v1/auth/callback` at the provider as a redirect URI of a confidential client that
  uses the authorization code grant. Its secret is `OIDC_CLIENT_SECRET`, in Secrets Manager.
- Access tokens must be JWTs with an asymmetric signature that name their audience and one tenant. The tenant must
  come from what administrators control: a claim that users can edit lets them choose their tenant.
- A token lives at most `JWT_MAX_LIFETIME_MINUTES` (60). Shorten it at the provider rather than raise the limit.
- Tenant ids have the form of `TENANT_ID_PATTERN` (`org-{{uuid}}` unless set).
- ID tokens are refused as bearer tokens, unless an entry says `allow_id_tokens`.
- Several providers at once: one of them signs people in; the others get an entry in `TRUSTED_ISSUERS` each. Bind an
  issuer that one customer runs to that customer by `tenants`.
- `tenantgate explain --token-file F` says which check a token fails; a sign-in that ends with `AUTH_009` or
  `AUTH_005` names the setting in `detail`.
"""


def auth_configuration_page() -> str:
    """The page's Markdown."""
    recipes = read_recipes()
    return _HEAD.format(table=_table(recipes, link="")) + "".join(_section(recipe) for recipe in recipes)


def readme() -> str:
    """The README with its table of providers renewed; everything else as it is."""
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
    # As GitHub makes it from a heading.
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


def _section(recipe: Recipe) -> str:
    data = recipe.data
    parts = [f"\n## {recipe.title}\n", f"{_wrapped(data['summary'])}\n", f"```sh\n{recipe.settings}\n```\n"]
    parts += ["At the provider:\n", *(_wrapped(step, mark="- ") for step in data["at_the_provider"]), ""]
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
    """Header and claims as a reader would decode them, with times of one day."""
    text = f"{token['header'].strip()}\n.\n{token['claims'].strip()}"
    return re.sub(r'"\{now([+-]\d+)?\}"', lambda found: str(1795600800 + int(found[1] or 0)), text)
