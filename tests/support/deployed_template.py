"""template.yaml as CloudFormation would deploy it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tenantgate_cli.commands.sam import ROOT, SAM_VERSION, UvMissing, find_uv, tool, tool_environment

TEMPLATE = ROOT / "template.yaml"

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """`key` as API Gateway writes it: `GET /path`, `ANY /path/{proxy+}` or `$default`."""

    key: str
    function: str
    authorizers: tuple[str, ...]


class Stack:
    """The translated template."""

    def __init__(self, document: Json) -> None:
        self.document = document

    def resources(self, kind: str) -> dict[str, Json]:
        return {name: body for name, body in self.document["Resources"].items() if body["Type"] == kind}

    def properties(self, name: str) -> Json:
        found: Json = self.document["Resources"][name]["Properties"]
        return found

    @property
    def functions(self) -> dict[str, Json]:
        return {name: body["Properties"] for name, body in self.resources("AWS::Lambda::Function").items()}

    def environment(self, function: str) -> Json:
        variables: Json = self.functions[function]["Environment"]["Variables"]
        return variables

    @property
    def api(self) -> Json:
        body: Json = self.properties("HttpApi")["Body"]
        return body

    @property
    def routes(self) -> list[ApiRoute]:
        found = []
        for path, methods in self.api["paths"].items():
            for method, operation in _present(methods).items():
                operation = _present(operation)  # noqa: PLW2901
                verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
                key = "$default" if operation.get("isDefaultRoute") else f"{verb} {path}"
                uri = _present(operation["x-amazon-apigateway-integration"]["uri"])["Fn::Sub"]
                security = tuple(name for need in operation.get("security", []) for name in need)
                found.append(ApiRoute(key, uri.split("${")[3].removesuffix(".Arn}/invocations"), security))
        return found


def _present(value: Json) -> Json:
    """The branch of a condition that makes the resource."""
    chosen: Json = value["Fn::If"][1] if "Fn::If" in value else value
    return chosen


def require_uv() -> None:
    """Skip the test when SAM can't be run here."""
    try:
        find_uv()
    except UvMissing as error:
        pytest.skip(str(error))


@cache
def deployed_stack(template: Path = TEMPLATE) -> Stack:
    """The template, ours unless another is given, translated by SAM's own translator."""
    require_uv()
    script = Path(__file__).with_name("translate_template.py")
    done = subprocess.run(
        tool(f"aws-sam-cli=={SAM_VERSION}", "python", str(script), str(template)),
        env=tool_environment() | {"AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Stack(json.loads(done.stdout))


def function_folder(name: str) -> str:
    """AuthLoginFunction → auth_login."""
    stem = name.removesuffix("Function")
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in stem).lstrip("_")
