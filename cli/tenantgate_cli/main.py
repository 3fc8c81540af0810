"""The `tenantgate` command. Each subcommand imports its module when it runs, so that `--help` is fast."""

# ruff: noqa: PLC0415
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantgate_cli.console import Failure, show_failure
from tenantgate_cli.paths import DEFAULT_DATA_DIR, LAYER, TEMPLATE

app = typer.Typer(
    name="tenantgate",
    help="Run Tenantgate on your machine, migrate its database, check tokens and route rules.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
migrate = typer.Typer(help="Migrate the database's schema, or show its revision.", no_args_is_help=True)
app.add_typer(migrate, name="migrate")
rules = typer.Typer(help="Check or convert route rules.", no_args_is_help=True)
app.add_typer(rules, name="rules")
jwks = typer.Typer(help="Work with the key sets of the trusted issuers.", no_args_is_help=True)
app.add_typer(jwks, name="jwks")

PortOption = Annotated[
    int, typer.Option(envvar="PORT", min=0, max=65535, help="The loopback port; 0 for any free one.")
]
DataDirOption = Annotated[Path, typer.Option(help="The folder of the database, secrets and logs.")]
ResetOption = Annotated[bool, typer.Option("--reset", help="Start over: delete the data first.")]
DatabaseOption = Annotated[
    str | None,
    typer.Option(envvar="DATABASE_OWNER_URL", help="The database's URL, as its owner. Default: the data folder's."),
]


@app.command()
def dev(
    port: PortOption = 3000,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    reset: ResetOption = False,
    template: Annotated[Path, typer.Option(help="The SAM template to serve.", show_default="template.yaml")] = TEMPLATE,
    second: Annotated[
        Path | None,
        typer.Option(
            "--with",
            exists=True,
            dir_okay=False,
            help="The SAM template of a second stack that our authorizer guards, with rules.toml in its folder.",
        ),
    ] = None,
) -> None:
    """Run everything: PostgreSQL, the provider, and each function under Lambda's runtime client."""
    with _failures():
        from tenantgate_cli.commands import dev as command

        command.run(port, data_dir, reset=reset, template=template, second=second)


@app.command()
def serve(port: PortOption = 3000, data_dir: DataDirOption = DEFAULT_DATA_DIR, reset: ResetOption = False) -> None:
    """Run the container's application, with the PostgreSQL and the provider of `dev`."""
    with _failures():
        from tenantgate_cli.commands import serve as command

        command.run(port, data_dir, reset=reset)


@app.command()
def token(data_dir: DataDirOption = DEFAULT_DATA_DIR) -> None:
    """Sign the demo user in at the running stack and print the access token."""
    with _failures():
        from tenantgate_cli.commands.token import access_token

        typer.echo(access_token(data_dir))


@app.command()
def docs(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if a document differs from the code.")
    ] = False,
) -> None:
    """Write the documents that are generated from code."""
    with _failures():
        from tenantgate_cli.commands.docs import run

        run(check=check)


@app.command()
def explain(
    code: Annotated[str | None, typer.Argument(help="An error code or reason code to explain.")] = None,
    *,
    token_file: Annotated[
        Path | None, typer.Option(help="A file with the token to check; - for standard input.")
    ] = None,
    route: Annotated[
        str | None, typer.Option(help="Check the route rules for a request too, such as 'GET /orders/42'.")
    ] = None,
    api: Annotated[str, typer.Option(help="The API Gateway id of the API whose rules apply.")] = "*",
    jwks_file: Annotated[
        Path | None, typer.Option("--jwks", help="The key set to verify with. Default: the bundled one.")
    ] = None,
    rules: Annotated[Path | None, typer.Option(envvar="ROUTE_RULES_FILE", help="The rules file.")] = None,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
) -> None:
    """Explain a code, or run each check of a token offline. Exit status: 0 if it passes, 1 if not, 2 if unknown."""
    with _failures(exit_code=2):
        from tenantgate_cli.commands.explain import run

        passes = run(code, token_file, route=route, api_id=api, jwks=jwks_file, rules=rules, data_dir=data_dir)
    if not passes:
        raise typer.Exit(1)


@jwks.command(name="bundle")
def jwks_bundle(
    layer: Annotated[Path, typer.Option(help="The folder that becomes /opt.")] = LAYER,
) -> None:
    """Fetch the issuers' key sets for the bundle, so that a cold start needs no network for them."""
    with _failures():
        from tenantgate_cli.commands.jwks import run

        run(layer)


@rules.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="The rules file. Default: ROUTE_RULES_FILE, or the product's own file.")
    ] = None,
    template: Annotated[
        Path | None, typer.Option(help="A SAM or CloudFormation template that puts APIs behind the authorizer.")
    ] = None,
    api: Annotated[
        str | None,
        typer.Option(help="The name of the rules for the template's APIs, if their ids don't show it."),
    ] = None,
) -> None:
    """Report, with line numbers, errors in the rules and unsafe uses of the authorizer in a template."""
    with _failures():
        from tenantgate_cli.commands.rules import check

        if not check(file, template, api):
            raise typer.Exit(1)


@rules.command(name="json")
def rules_json(file: Annotated[Path, typer.Argument(help="The rules file, TOML.")]) -> None:
    """Print the rules as JSON, which ROUTE_RULES_FILE also accepts and which loads faster at a cold start."""
    with _failures():
        from tenantgate_cli.commands.rules import compiled

        typer.echo(compiled(file), nl=False)


@migrate.command()
def up(
    revision: Annotated[str, typer.Argument(help="The revision to migrate to.")] = "head",
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: DatabaseOption = None,
) -> None:
    """Apply migrations."""
    with _failures():
        from tenantgate_cli.commands.migrate import move

        typer.echo(move("up", revision, data_dir, database_url))


@migrate.command()
def down(
    revision: Annotated[str, typer.Argument(help="The revision to return to; -1 for one step, base for all.")] = "-1",
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: DatabaseOption = None,
) -> None:
    """Undo migrations. Deletes the data in the tables that they created."""
    with _failures():
        from tenantgate_cli.commands.migrate import move

        typer.echo(move("down", revision, data_dir, database_url))


@migrate.command()
def current(data_dir: DataDirOption = DEFAULT_DATA_DIR, database_url: DatabaseOption = None) -> None:
    """Show the database's revision and the newest one."""
    with _failures():
        from tenantgate_cli.commands.migrate import show

        typer.echo(show(data_dir, database_url))


class _failures:  # noqa: N801 - used as a function
    """Report a Failure without a stack trace, and exit with `exit_code`."""

    def __init__(self, exit_code: int = 1) -> None:
        self._exit_code = exit_code

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Failure):
            show_failure(error)
            raise typer.Exit(self._exit_code) from None


if __name__ == "__main__":
    app()
