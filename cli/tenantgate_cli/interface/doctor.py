"""`tenantgate doctor`."""

# ruff: noqa: PLC0415
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import DataDirOption, JsonOption
from tenantgate_cli.paths import DEFAULT_DATA_DIR

app = typer.Typer()


@command(
    app,
    examples=[
        "tenantgate doctor",
        "tenantgate doctor --json",
        "tenantgate doctor --template",
        "tenantgate doctor --template --params my-parameters.yaml",
    ],
    exits={0: "no check failed; there may be warnings", 1: "a check failed, or nothing is configured"},
)
def doctor(
    template: Annotated[
        bool, typer.Option("--template", help="Check a deployment before it begins: template, bundles and account.")
    ] = False,
    params: Annotated[
        Path | None, typer.Option(help="With --template: a YAML file with the template's parameters.")
    ] = None,
    template_file: Annotated[
        Path | None, typer.Option(help="Another template. Default: the one that make build wrote, or template.yaml.")
    ] = None,
    stack_name: Annotated[
        str | None, typer.Option(help="With --template: the name of the stack. Default: tenantgate.")
    ] = None,
    *,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    as_json: JsonOption = False,
) -> None:
    """Check a configuration against its live parts: this shell's variables and .env, or the running `make dev`."""
    if not template and (params or template_file or stack_name):
        raise typer.BadParameter("--params, --template-file and --stack-name go with --template")
    with failures(as_json=as_json):
        from tenantgate_cli.commands.doctor import run, run_template

        if template:
            done = run_template(params, template_file, stack_name, as_json=as_json)
        else:
            done = run(data_dir, as_json=as_json)
        if not done:
            raise typer.Exit(1)
