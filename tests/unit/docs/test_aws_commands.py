"""The `aws` commands in the docs: AWS's own models have the operations and their options."""

from __future__ import annotations

import re
import shlex

import pytest
from botocore import xform_name
from botocore.session import get_session

from tenantgate_cli.paths import ROOT
from tests.unit.docs.test_commands import PAGES

COMMAND = re.compile(r"^ *(?:[$] )?aws ((?:[^\n\\]|\\\n|\\.)+)$", re.MULTILINE)
# Commands of the command line itself, without an operation of the same name.
CUSTOM = {("cloudformation", "deploy"), ("configure", "sso"), ("rds", "wait"), ("s3", "cp")}
GLOBAL_OPTIONS = {"--region", "--query", "--output", "--profile"}
# Made by the command line from a member of the request.
DERIVED = {"--no-deletion-protection": "--deletion-protection"}


def commands() -> list[tuple[str, str]]:
    return [
        (page, " ".join(command.replace("\\\n", " ").partition(" > ")[0].split()))
        for page in PAGES
        for command in COMMAND.findall((ROOT / page).read_text(encoding="utf-8"))
    ]


def test_the_pages_have_such_commands() -> None:
    assert {"docs/DEPLOYMENT.md", "docs/RECOVERY.md"} <= {page for page, _ in commands()}
    assert len(commands()) > 15


@pytest.mark.parametrize(("page", "command"), commands())
def test_aws_has_the_operation_and_its_options(page: str, command: str) -> None:
    words = shlex.split(command, comments=True)
    service, operation = words[:2]
    options = {DERIVED.get(word, word) for word in words[2:] if word.startswith("--")} - GLOBAL_OPTIONS
    if (service, operation) in CUSTOM:
        return
    session = get_session()
    assert service in {*session.get_available_services(), "deploy"}, page
    model = session.get_service_model("codedeploy" if service == "deploy" else service)
    [found] = [name for name in model.operation_names if xform_name(name, "-") == operation]
    shape = model.operation_model(found).input_shape
    known = {f"--{xform_name(name, '-')}" for name in (shape.members if shape else ())}
    required = {f"--{xform_name(name, '-')}" for name in (shape.required_members if shape else ())}

    assert options <= known, page
    assert required <= options, page
