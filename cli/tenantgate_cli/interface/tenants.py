"""`tenantgate tenants`."""

# ruff: noqa: PLC0415
from __future__ import annotations

from typing import Annotated

import typer

from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import ApplicationDatabaseOption, DataDirOption, JsonOption
from tenantgate_cli.paths import DEFAULT_DATA_DIR

tenants = typer.Typer(help="Show, register, limit and suspend tenants.", no_args_is_help=True)
_FAILED = "the database can't be reached, or the tenant isn't registered"
_CHANGED = {0: "the change is in effect", 1: f"{_FAILED}, or the change was refused or is not yet in effect everywhere"}
TenantArgument = Annotated[str, typer.Argument(help="The tenant's id, as tokens name it.")]
NameOption = Annotated[str | None, typer.Option(help="A name for people; `none` removes it.")]
IdleOption = Annotated[
    str | None,
    typer.Option(help="Minutes without use after which a session ends; `default`: SESSION_IDLE_MINUTES."),
]
AbsoluteOption = Annotated[
    str | None, typer.Option(help="Hours after which a session ends; `default`: SESSION_ABSOLUTE_HOURS.")
]
IssuersOption = Annotated[
    str | None, typer.Option(help="The issuers of its users, comma-separated; `any`: every trusted one.")
]


@command(
    tenants,
    "list",
    examples=["tenantgate tenants list", "tenantgate tenants list --json"],
    exits={0: "the tenants were printed", 1: "the database can't be reached"},
)
def list_tenants(
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print every registered tenant, in the order of the ids."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.tenants import show_all

        show_all(data_dir, database_url, as_json=as_json)


@command(
    tenants,
    examples=["tenantgate tenants show org-1", "tenantgate tenants show org-1 --json"],
    exits={0: "the tenant was printed", 1: _FAILED},
)
def show(
    tenant: TenantArgument,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a tenant with its limits and the number of its sessions."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.tenants import show_one

        show_one(tenant, data_dir, database_url, as_json=as_json)


@command(
    tenants,
    examples=[
        "tenantgate tenants add org-1",
        "tenantgate tenants add org-1 --name 'First Ltd' --idle-minutes 15",
    ],
    exits={
        0: "the tenant is registered",
        1: "the database can't be reached, or the tenant is registered already or can't be",
    },
)
def add(
    tenant: TenantArgument,
    name: NameOption = None,
    idle_minutes: IdleOption = None,
    absolute_hours: AbsoluteOption = None,
    issuers: IssuersOption = None,
    *,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a tenant. With TENANT_REGISTRATION=closed, only registered tenants may sign in."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.tenants import add, read_changes

        add(tenant, read_changes(name, idle_minutes, absolute_hours, issuers), data_dir, database_url, as_json=as_json)


@command(
    tenants,
    "set",
    examples=[
        "tenantgate tenants set org-1 --idle-minutes 15 --absolute-hours 8",
        "tenantgate tenants set org-1 --issuers https://login.example.com",
        "tenantgate tenants set org-1 --idle-minutes default --issuers any",
    ],
    exits=_CHANGED,
)
def set_policy(
    tenant: TenantArgument,
    name: NameOption = None,
    idle_minutes: IdleOption = None,
    absolute_hours: AbsoluteOption = None,
    issuers: IssuersOption = None,
    *,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a tenant's name, its session time-outs (only shorter than the deployment's) or its issuers."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.tenants import change, read_changes

        changes = read_changes(name, idle_minutes, absolute_hours, issuers)
        change(tenant, changes, data_dir, database_url, as_json=as_json)


@command(
    tenants,
    examples=["tenantgate tenants suspend org-1", "tenantgate tenants suspend org-1 --json"],
    exits=_CHANGED,
)
def suspend(
    tenant: TenantArgument,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse a tenant's sessions and sign-ins until it is activated."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.tenants import change

        change(tenant, {"status": "suspended"}, data_dir, database_url, as_json=as_json)


@command(
    tenants,
    examples=["tenantgate tenants activate org-1", "tenantgate tenants activate org-1 --json"],
    exits=_CHANGED,
)
def activate(
    tenant: TenantArgument,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a suspension. Sessions that have not timed out meanwhile are accepted again."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.tenants import change

        change(tenant, {"status": "active"}, data_dir, database_url, as_json=as_json)
