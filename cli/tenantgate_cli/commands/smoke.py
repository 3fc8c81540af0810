"""`tenantgate smoke`: test a deployed API from outside."""

from __future__ import annotations

import sys
from pathlib import Path

from tenantgate.tokens.jws import MAX_TOKEN_LENGTH
from tenantgate_cli.bounded_http import is_loopback
from tenantgate_cli.console import Failure
from tenantgate_cli.outcomes import passed, report
from tenantgate_cli.smoke.registry import run as run_checks
from tenantgate_cli.smoke.target import Target, read_base, read_scoped
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.running_stack import running_stack


def run(
    url: str,
    *,
    token: str | None,
    scoped: str | None = None,
    origin: str | None = None,
    seconds: float = 15.0,
    data_dir: Path,
    as_json: bool = False,
) -> bool:
    """Print the outcomes. Return True if no check failed. Raises Failure for arguments that can't be used."""
    base = read_base(url)
    target = Target(
        base,
        seconds,
        token=_token(base, token, data_dir),
        origin=read_origin(origin),
        scoped=None if scoped is None else read_scoped(scoped, base),
    )
    outcomes = run_checks(target)
    report(base, outcomes, as_json=as_json)
    return passed(outcomes)


def read_origin(origin: str | None) -> str:
    """Return the origin as browsers write it; an empty text for none. Raises Failure."""
    return "" if origin is None else read_base(origin)


def _token(base: str, given: str | None, data_dir: Path) -> str:
    if given == "-":
        given = sys.stdin.read(MAX_TOKEN_LENGTH + 2)
    if given:
        token = given.strip()
        if not token.isascii() or not token.isprintable() or " " in token:
            raise Failure("the token has characters that no token has", "tenantgate smoke URL --token - < token.txt")
        return token
    stack = running_stack(DataFolder(data_dir)) if is_loopback(base) else None
    if stack is None or stack.url != base or stack.settings.get("OIDC_ISSUER_URL", stack.issuer) != stack.issuer:
        return ""
    # The database's drivers take long to import, and other URLs need none of them.
    from tenantgate_cli.stack.minting import mint  # noqa: PLC0415
    from tenantgate_cli.stack.token_request import Wanted  # noqa: PLC0415

    return mint(DataFolder(data_dir), Wanted()).access_token
