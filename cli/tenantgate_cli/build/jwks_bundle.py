"""Fetch the issuers' key sets at build time, so that a cold start needs no network for them.

An issuer's keys go into the file that `OIDC_JWKS_FILE`, or `jwks_file` of its entry in `TRUSTED_ISSUERS`, names. A file
below `/opt`, where Lambda puts a layer, is written below the layer's folder.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tenantgate.authorizer.environment import InvalidEnvironment, verification_policy
from tenantgate.errors.tokens import ProviderUnreachable
from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate.tokens.keys import KeySet
from tenantgate.tokens.wiring import jwks_loader
from tenantgate_cli.console import Failure
from tenantgate_cli.paths import LAYER

_AT_RUN_TIME = Path("/opt")
_SECONDS = 10.0


class Bundled(NamedTuple):
    """The bundled key set of one issuer.

    file     None for an issuer without one: its keys are fetched at run time
    by_hand  the file is the only source of the issuer's keys, so it was not changed
    """

    issuer: str
    file: Path | None
    keys: int
    skipped: int
    by_hand: bool = False


def bundle(variables: Mapping[str, str], *, layer: Path = LAYER) -> list[Bundled]:
    """Fetch and write every issuer's key set. Nothing is written unless all could be fetched.

    Raises Failure when the settings are invalid, no issuer has a file, two issuers share one, or an issuer can't be
    reached or has no usable key.
    """
    try:
        issuers = verification_policy({**variables, **_issuers_file(variables, layer)}).issuers
    except InvalidEnvironment as problem:
        raise Failure(str(problem), "set these variables to the values that the deployed functions have") from problem
    files = _files(issuers, layer)
    fetched = {
        issuer.issuer: _fetch(issuer)
        for issuer in issuers
        if issuer.issuer in files and not issuer.is_known_by_file_only
    }
    bundled = []
    for issuer in issuers:
        file = files.get(issuer.issuer)
        if file is None:
            bundled.append(Bundled(issuer.issuer, None, 0, 0))
            continue
        if issuer.issuer not in fetched:
            bundled.append(Bundled(issuer.issuer, file, 0, 0, by_hand=True))
            continue
        document, keys = fetched[issuer.issuer]
        _write(file, document)
        bundled.append(Bundled(issuer.issuer, file, len(keys), keys.skipped))
    return bundled


def _issuers_file(variables: Mapping[str, str], layer: Path) -> dict[str, str]:
    """Return `TRUSTED_ISSUERS` with the file's place before the build, if it names one of the layer."""
    scheme, separator, path = variables.get("TRUSTED_ISSUERS", "").strip().partition(":")
    if not separator or scheme != "file" or not Path(path).is_relative_to(_AT_RUN_TIME):
        return {}
    return {"TRUSTED_ISSUERS": f"file:{layer / Path(path).relative_to(_AT_RUN_TIME)}"}


def _files(issuers: tuple[IssuerPolicy, ...], layer: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for issuer in issuers:
        if issuer.jwks_file is None:
            continue
        named = Path(issuer.jwks_file)
        file = layer / named.relative_to(_AT_RUN_TIME) if named.is_relative_to(_AT_RUN_TIME) else named
        # With a shared file, each of the two issuers could sign the other's tokens.
        if file in files.values():
            raise Failure(f"{named} is the key set of two issuers", 'give each entry its own "jwks_file"')
        files[issuer.issuer] = file
    if not files:
        raise Failure(
            "no issuer has a file for its keys",
            'set OIDC_JWKS_FILE=/opt/jwks.json (template parameter OidcJwksFile), or "jwks_file" in TRUSTED_ISSUERS',
        )
    return files


def _fetch(issuer: IssuerPolicy) -> tuple[dict[str, object], KeySet]:
    # Taken before the request: a key that is withdrawn during it must not live longer.
    fetched_at = int(time.time())
    try:
        document = jwks_loader(issuer)(_SECONDS)
        keys = KeySet.parse(document)
    except ProviderUnreachable as problem:
        raise Failure(
            f"{issuer.issuer}: {problem.reason} {problem.private}", "check the issuer and the network"
        ) from None
    except ValueError as problem:
        raise Failure(f"{issuer.issuer}: {problem}", "check jwks_uri, or the provider's metadata") from None
    return {"fetched_at": fetched_at, "keys": document["keys"]}, keys


def _write(file: Path, document: Mapping[str, object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.new")
    new.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    # Lambda reads it as another user.
    new.chmod(0o644)
    new.replace(file)
