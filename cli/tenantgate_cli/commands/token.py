"""`tenantgate token`: an access token of a demo user, minted for the running stack."""

from __future__ import annotations

from pathlib import Path

from tenantgate_cli.console import say
from tenantgate_cli.results import print_result
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.minting import mint
from tenantgate_cli.stack.token_request import Wanted


def run(data_dir: Path, wanted: Wanted, *, as_json: bool) -> None:
    """Print the token, or with `as_json` the token and its content. Raises Failure."""
    minted = mint(DataFolder(data_dir), wanted)
    if not as_json:
        say(minted.access_token)
        return
    request = minted.request
    print_result(
        access_token=minted.access_token,
        token_type="Bearer",  # noqa: S106  (RFC 6750)
        expires_in=request.expires_in,
        expires_at=minted.expires_at,
        scope=" ".join(request.scopes),
        roles=request.roles,
        tenant_id=request.tenant_id,
        user_id=request.persona.id,
        user=request.persona.name,
        email=request.persona.email,
    )
