"""`tenantgate revoke`."""

# ruff: noqa: PLC0415
from __future__ import annotations

from typing import Annotated

import typer

from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import ApplicationDatabaseOption, DatabaseOption, DataDirOption, JsonOption
from tenantgate_cli.paths import DEFAULT_DATA_DIR

revoke = typer.Typer(
    help="Revoke tokens, sessions, users, clients, tenants and key ids: everyone refuses them within 5 seconds.",
    no_args_is_help=True,
)
_REVOKED = {
    0: "it is revoked",
    1: "the database can't be reached, it is not yet revoked everywhere, or it can't be",
}
TenantOption = Annotated[str, typer.Option("--tenant", help="The tenant's id, as tokens name it.")]
IssuerOption = Annotated[str, typer.Option("--issuer", help="The issuer, as tokens name it in `iss`.")]


@command(
    revoke,
    "token",
    examples=[
        "tenantgate revoke token - < token.txt",
        "tenantgate revoke token --issuer https://id.example.com --jti 6f1c",
    ],
    exits=_REVOKED,
)
def token(
    text: Annotated[str | None, typer.Argument(metavar="[-]", help="`-`: read the token from standard input.")] = None,
    issuer: Annotated[str | None, typer.Option(help="Instead of `-`: the token's `iss`.")] = None,
    jti: Annotated[str | None, typer.Option(help="Instead of `-`: the token's `jti`.")] = None,
    *,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke one access token until it expires. A token is a secret: give it on standard input."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.revoke import Place, revoke_token

        revoke_token(text, issuer, jti, Place(data_dir, database_url, as_json))


@command(
    revoke,
    "session",
    examples=["tenantgate revoke session $SESSION_ID --tenant org-1"],
    exits=_REVOKED,
)
def session(
    session_id: Annotated[str, typer.Argument(metavar="ID", help="The session's id.")],
    tenant: TenantOption,
    *,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a session, and revoke the access tokens that its clients got."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.revoke import Place, revoke_session

        revoke_session(session_id, tenant, Place(data_dir, database_url, as_json))


@command(
    revoke,
    "user",
    examples=["tenantgate revoke user $ID --tenant $TENANT --issuer $ISSUER"],
    exits=_REVOKED,
)
def user(
    user_id: Annotated[str, typer.Argument(metavar="ID", help="The user's id, as tokens name it.")],
    tenant: TenantOption,
    issuer: IssuerOption,
    *,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a user's sessions, and refuse the tokens that were issued up to now. The user may sign in again."""
    with failures(as_json=as_json):
        from tenantgate.sessions.models import User
        from tenantgate_cli.commands.revoke import Place, revoke_user

        revoke_user(User(tenant, issuer, user_id), Place(data_dir, database_url, as_json))


@command(
    revoke,
    "client",
    examples=["tenantgate revoke client reports --issuer https://id.example.com"],
    exits=_REVOKED,
)
def client(
    client_id: Annotated[str, typer.Argument(metavar="ID", help="The client's id, as tokens name it.")],
    issuer: IssuerOption,
    *,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse the tokens that a client got up to now."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.revoke import Place, revoke_client

        revoke_client(client_id, issuer, Place(data_dir, database_url, as_json))


@command(
    revoke,
    "tenant",
    examples=["tenantgate revoke tenant org-1", "tenantgate revoke tenant org-1 --json"],
    exits=_REVOKED,
)
def tenant(
    tenant_id: Annotated[str, typer.Argument(metavar="ID", help="The tenant's id, as tokens name it.")],
    *,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse the sessions and tokens that a tenant's users got up to now. `tenants suspend` also refuses new ones."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.revoke import Place, revoke_tenant

        revoke_tenant(tenant_id, Place(data_dir, database_url, as_json))


@command(
    revoke,
    "kid",
    examples=[
        "tenantgate revoke kid key-1 --issuer https://id.example.com",
        "tenantgate revoke kid key-1 --issuer https://id.example.com --lift",
    ],
    exits=_REVOKED,
)
def kid(
    key_id: Annotated[str, typer.Argument(metavar="KID", help="The key's id, as the headers of tokens name it.")],
    issuer: IssuerOption,
    lift: Annotated[bool, typer.Option("--lift", help="Accept the key again.")] = False,
    *,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse the tokens that a key of an issuer signed, until this is lifted."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.revoke import Place, revoke_kid

        revoke_kid(key_id, issuer, Place(data_dir, database_url, as_json), lift=lift)


@command(
    revoke,
    "all",
    examples=["tenantgate revoke all", "tenantgate revoke all --yes --json"],
    exits={0: "all were ended", 1: "the database can't be reached, or it wasn't confirmed"},
)
def everything(
    *,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: DatabaseOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask for a confirmation.")] = False,
    as_json: JsonOption = False,
) -> None:
    """End all sessions, and refuse all tokens issued up to now, as the database's owner. For a database that leaked."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.backup import Place, end_credentials

        end_credentials(Place(data_dir, database_url, as_json), confirmed=yes)
