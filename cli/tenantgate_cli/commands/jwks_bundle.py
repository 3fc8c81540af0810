"""`tenantgate jwks bundle`: fetch the issuers' key sets at build time, so that a cold start needs no network for them.

An issuer's keys go into the file that `OIDC_JWKS_FILE` or its entry's `jwks_file` in `TRUSTED_ISSUERS` names. `/opt` is
where a layer's files are at run time; at build time they are made in the layer's folder.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tenantgate.authorizer.environment import EnvironmentRefused, verification_policy
from tenantgate.errors.tokens import ProviderUnreachable
from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate.tokens.keys import KeySet
from tenantgate.tokens.wiring import jwks_loader
from tenantgate_cli.console import Failure, say
from tenantgate_cli.stack.data import environment

LAYER = Path("layers/shared")
_AT_RUN_TIME = Path("/opt")
_SECONDS = 10.0


class Bundled(NamedTuple):
    """One issuer's key set, written. `file` is None for an issuer without one: it is asked at run time.

    `by_hand`: the file is the only source of the issuer's keys, so it was left as it is.
    """

    issuer: str
    file: Path | None
    keys: int
    skipped: int
    by_hand: bool = False


def run(layer: Path) -> None:
    """The command: bundle by the caller's environment, and say what was written."""
    for bundled in bundle(environment(), layer=layer):
        if bundled.by_hand:
            say(f"{bundled.issuer}: its keys come only from {bundled.file}, which was left as it is")
            continue
        if bundled.file is None:
            say(f"{bundled.issuer}: no file, so asked at run time")
            continue
        skipped = f", {bundled.skipped} skipped" if bundled.skipped else ""
        say(f"{bundled.issuer}: {bundled.keys} keys{skipped} → {bundled.file}")


def bundle(variables: Mapping[str, str], *, layer: Path = LAYER) -> list[Bundled]:
    """Fetch and write every issuer's key set; nothing is written unless all could be fetched.

    Raises `Failure` when the settings can't be used, no issuer has a file, two issuers share one, an issuer can't be
    asked, or its answer has no usable key.
    """
    try:
        issuers = verification_policy(variables).issuers
    except EnvironmentRefused as problem:
        raise Failure(str(problem), "set these variables as the deployed functions have them") from problem
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


def _files(issuers: tuple[IssuerPolicy, ...], layer: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for issuer in issuers:
        if issuer.jwks_file is None:
            continue
        named = Path(issuer.jwks_file)
        file = layer / named.relative_to(_AT_RUN_TIME) if named.is_relative_to(_AT_RUN_TIME) else named
        # One file for two would let each of them sign the other's tokens.
        if file in files.values():
            raise Failure(f"{named} is the key set of two issuers", 'give each entry a "jwks_file" of its own')
        files[issuer.issuer] = file
    if not files:
        raise Failure(
            "no issuer has a file to bundle its keys in",
            'set OIDC_JWKS_FILE=/opt/jwks.json (template parameter OidcJwksFile), or "jwks_file" in TRUSTED_ISSUERS',
        )
    return files


def _fetch(issuer: IssuerPolicy) -> tuple[dict[str, object], KeySet]:
    # Before the request: a key withdrawn while the answer was on its way would otherwise live longer.
    asked_at = int(time.time())
    try:
        document = jwks_loader(issuer)(_SECONDS)
        keys = KeySet.parse(document)
    except ProviderUnreachable as problem:
        raise Failure(
            f"{issuer.issuer}: {problem.reason} {problem.private}", "check the issuer and the network"
        ) from None
    except ValueError as problem:
        raise Failure(f"{issuer.issuer}: {problem}", "check jwks_uri, or the provider's metadata") from None
    return {"fetched_at": asked_at, "keys": document["keys"]}, keys


def _write(file: Path, document: Mapping[str, object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.new")
    new.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    # Lambda's user is another than the one who builds.
    new.chmod(0o644)
    new.replace(file)
