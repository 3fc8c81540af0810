"""The `tenantgate` command. Each subcommand imports what it needs when it runs, so that `--help` is quick."""

# ruff: noqa: PLC0415
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantgate_cli.console import Failure, complain

app = typer.Typer(
    name="tenantgate",
    help="Tenantgate on your machine: run it, migrate it, ask it for a token.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
migrate = typer.Typer(help="Bring the database's schema up, down, or say where it is.", no_args_is_help=True)
app.add_typer(migrate, name="migrate")
rules = typer.Typer(help="The route rules: who may call which route.", no_args_is_help=True)
app.add_typer(rules, name="rules")
jwks = typer.Typer(help="Key sets of the trusted issuers.", no_args_is_help=True)
app.add_typer(jwks, name="jwks")

PortOption = Annotated[int, typer.Option(envvar="PORT", min=0, max=65535, help="Loopback port; 0 takes any free one.")]
DataDirOption = Annotated[Path, typer.Option(help="Where database, secrets and logs are kept.")]
ResetOption = Annotated[bool, typer.Option("--reset", help="Start anew: delete the data first.")]
DatabaseOption = Annotated[
    str | None,
    typer.Option(envvar="DATABASE_OWNER_URL", help="The database, as its owner; else the one of the data folder."),
]
_DATA_DIR = Path(".local")
_TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"


@app.command()
def dev(
    port: PortOption = 3000,
    data_dir: DataDirOption = _DATA_DIR,
    reset: ResetOption = False,
    template: Annotated[
        Path, typer.Option(help="The SAM template to serve.", show_default="template.yaml")
    ] = _TEMPLATE,
    beside: Annotated[
        Path | None,
        typer.Option(
            "--with",
            exists=True,
            dir_okay=False,
            help="The SAM template of a second stack whose APIs our authorizer guards; its rules.toml lies beside it.",
        ),
    ] = None,
) -> None:
    """Run everything here: PostgreSQL, the provider, and each function under Lambda's runtime client."""
    with _failures():
        from tenantgate_cli.commands import dev as command

        command.run(port, data_dir, reset=reset, template=template, beside=beside)


@app.command()
def serve(port: PortOption = 3000, data_dir: DataDirOption = _DATA_DIR, reset: ResetOption = False) -> None:
    """Run the container's application here, with PostgreSQL and the provider of `dev`."""
    with _failures():
        from tenantgate_cli.commands import serve as command

        command.run(port, data_dir, reset=reset)


@app.command()
def token(data_dir: DataDirOption = _DATA_DIR) -> None:
    """Sign the demo user in at the running stack and print the access token."""
    with _failures():
        from tenantgate_cli.commands.token import access_token

        typer.echo(access_token(data_dir))


@app.command()
def docs(
    check: Annotated[bool, typer.Option("--check", help="Only say which are out of step; exit 1 if any is.")] = False,
) -> None:
    """Write the documents that are generated from code."""
    from tenantgate_cli.generate.command import docs as command

    command(check)


@app.command()
def explain(
    code: Annotated[str | None, typer.Argument(help="An error code or a reason code: say what it means.")] = None,
    *,
    token_file: Annotated[Path | None, typer.Option(help="The token to check; - for standard input.")] = None,
    route: Annotated[str | None, typer.Option(help="Check the route rules too, such as 'GET /orders/42'.")] = None,
    api: Annotated[str, typer.Option(help="Whose rules: API Gateway's API id.")] = "*",
    jwks_file: Annotated[Path | None, typer.Option("--jwks", help="Keys to check with, else the bundled ones.")] = None,
    rules: Annotated[Path | None, typer.Option(envvar="ROUTE_RULES_FILE", help="The rules file.")] = None,
    data_dir: DataDirOption = _DATA_DIR,
) -> None:
    """Say why a token would pass or not, check by check and offline. Exit: 0 it would, 1 it wouldn't, 2 can't tell."""
    with _failures(exit_code=2):
        from tenantgate_cli.commands.explain import run

        told = run(code, token_file, route=route, api_id=api, jwks=jwks_file, rules=rules, data_dir=data_dir)
    if not told:
        raise typer.Exit(1)


@jwks.command(name="bundle")
def jwks_bundle(
    layer: Annotated[Path, typer.Option(help="Where /opt is made at build time.")] = Path("layers/shared"),
) -> None:
    """Fetch the issuers' key sets into the bundle, so that a cold start needs no network for them."""
    with _failures():
        from tenantgate_cli.commands.jwks_bundle import run

        run(layer)


@rules.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="The rules file; else ROUTE_RULES_FILE, else the product's own.")
    ] = None,
    template: Annotated[
        Path | None, typer.Option(help="A SAM or CloudFormation template that puts APIs behind the authorizer.")
    ] = None,
    api: Annotated[
        str | None, typer.Option(help="The name of the rules for the template's APIs, where their ids don't tell.")
    ] = None,
) -> None:
    """Say, with its line, what is wrong with the rules, or unsafe in how a template uses the authorizer."""
    with _failures():
        from tenantgate_cli.commands.rules import check

        if not check(file, template, api):
            raise typer.Exit(1)


@rules.command(name="json")
def rules_json(file: Annotated[Path, typer.Argument(help="The rules file, TOML.")]) -> None:
    """Print the rules as JSON, which ROUTE_RULES_FILE may name too: it loads faster at a cold start."""
    with _failures():
        from tenantgate_cli.commands.rules import compiled

        typer.echo(compiled(file), nl=False)


@migrate.command()
def up(
    revision: Annotated[str, typer.Argument(help="Up to this revision.")] = "head",
    data_dir: DataDirOption = _DATA_DIR,
    database_url: DatabaseOption = None,
) -> None:
    """Apply migrations."""
    with _failures():
        from tenantgate_cli.commands.migrate import move

        typer.echo(move("up", revision, data_dir, database_url))


@migrate.command()
def down(
    revision: Annotated[str, typer.Argument(help="Down to this revision; -1 for one step, base for all.")] = "-1",
    data_dir: DataDirOption = _DATA_DIR,
    database_url: DatabaseOption = None,
) -> None:
    """Undo migrations, and with them the data of what they made."""
    with _failures():
        from tenantgate_cli.commands.migrate import move

        typer.echo(move("down", revision, data_dir, database_url))


@migrate.command()
def current(data_dir: DataDirOption = _DATA_DIR, database_url: DatabaseOption = None) -> None:
    """Say which revision the database is at, and which is the newest."""
    with _failures():
        from tenantgate_cli.commands.migrate import tell

        typer.echo(tell(data_dir, database_url))


class _failures:  # noqa: N801 - used as a function
    """Say what went wrong and what to do, without a stack trace, and exit with `exit_code`."""

    def __init__(self, exit_code: int = 1) -> None:
        self._exit_code = exit_code

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Failure):
            complain(error)
            raise typer.Exit(self._exit_code) from None


if __name__ == "__main__":
    app()
