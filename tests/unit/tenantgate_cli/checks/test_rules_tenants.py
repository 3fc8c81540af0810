"""The tenant of Lambda's tenant isolation comes from the authorizer, never from the client."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from lambda_gateway.model import Template
from tenantgate_cli.checks.rules_tenants import tenant_findings
from tenantgate_cli.commands.second_stack_check import notices
from tenantgate_cli.console import Failure
from tenantgate_cli.main import app
from tenantgate_cli.paths import ROOT
from tenantgate_cli.stack.second_stack import SecondStack
from tests.fixtures.rules_check.run import RULES, Outcome, rest

EXAMPLE = ROOT / "examples" / "tenant_isolation"
SAFE = "context.authorizer.tenant_id"
METHOD = """\
  Method:
    Type: AWS::ApiGateway::Method
    Properties:
      Integration:
        Type: AWS_PROXY
        RequestParameters:
          KEY: VALUE
"""
KEY = "integration.request.header.X-Amz-Tenant-Id"
ISOLATED = """\
Resources:
  Rest: { Type: AWS::Serverless::Api, Properties: { StageName: v1 BODY } }
  F:
    Type: AWS::Serverless::Function
    Properties:
      TenancyConfig: { TenantIsolationMode: PER_TENANT }
      Events:
        E:
          Type: KIND
          Properties: { Path: /a, Method: get, RestApiId: !Ref Rest }
"""


def method(value: str, key: str = KEY) -> str:
    return "Resources:\n" + METHOD.replace("KEY", key).replace("VALUE", value)


def found(folder: Path, template: str) -> list[tuple[int, bool, str]]:
    path = folder / "template.yaml"
    path.write_text(template)
    return [(finding.line, finding.unsafe, finding.problem) for finding in tenant_findings(path)]


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ("method.request.header.X-Tenant-Id", "method.request.header.X-Tenant-Id"),
        ("method.request.querystring.tenant", "method.request.querystring.tenant"),
        ("method.request.path.tenant", "method.request.path.tenant"),
        ("method.request.body.tenant", "method.request.body.tenant"),
        ("stageVariables.tenant", "stageVariables.tenant"),
        ("context.authorizer.user_id", "context.authorizer.user_id"),
        ("\"'blue'\"", "'blue'"),
        ("!Ref Tenant", "an expression"),
        (f'!If [Safe, {SAFE}, "method.request.header.x"]', "an expression"),
    ],
)
@pytest.mark.parametrize("key", [KEY, KEY.lower(), KEY.replace("Amz", "Amzn")])
def test_any_other_source_is_refused(tmp_path: Path, key: str, value: str, source: str) -> None:
    problem = f"the tenant of the function's environment is {source}, not the verified tenant of the token"
    assert found(tmp_path, method(value, key)) == [(8, True, problem)]


def test_the_verified_tenant_is_accepted(tmp_path: Path) -> None:
    assert found(tmp_path, method(SAFE)) == []
    assert found(tmp_path, method("method.request.header.X-Other", "integration.request.header.X-Other")) == []


def test_an_openapi_definition_is_read_too(tmp_path: Path) -> None:
    example = (EXAMPLE / "template.yaml").read_text("utf-8")
    assert found(tmp_path, example) == []
    forged = found(tmp_path, example.replace(SAFE, "method.request.header.X-Tenant-Id"))
    assert [unsafe for _, unsafe, _ in forged] == [True] * example.count(SAFE)
    assert all(SAFE in example.splitlines()[line - 1] for line, _, _ in forged)


@pytest.mark.parametrize(
    "name", ["context.requestOverride.header.X-Amz-Tenant-Id", "context.requestOverride.header['x-amz-tenant-id']"]
)
def test_a_mapping_template_is_refused(tmp_path: Path, name: str) -> None:
    template = method("x", "other") + f'        RequestTemplates: {{ application/json: "#set(${name} = $input.x)" }}\n'
    ((line, unsafe, problem),) = found(tmp_path, template)
    assert (line, unsafe) == (9, True)
    assert problem.startswith("a mapping template sets the tenant")


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("Api", "", ["F isolates tenants, and SAM's integration passes no tenant: Lambda refuses every such"]),
        ("HttpApi", "", ["F isolates tenants, and an HTTP API can't pass the tenant: Lambda refuses every such"]),
        ("Api", ", DefinitionBody: {}", []),
        ("Schedule", "", []),
    ],
)
def test_a_function_that_would_get_no_tenant(tmp_path: Path, kind: str, body: str, words: list[str]) -> None:
    text = ISOLATED.replace(" BODY", body).replace("KIND", kind)
    assert found(tmp_path, text) == [(8, False, f"{word} invocation") for word in words]
    assert found(tmp_path, text.replace("TenancyConfig", "Environment")) == []


def test_the_command_fails(tmp_path: Path) -> None:
    template = rest("Identity: { ReauthorizeEvery: 0 }") + METHOD.replace("KEY", KEY)
    assert Outcome(tmp_path, RULES, template.replace("VALUE", SAFE)).code == 0
    outcome = Outcome(tmp_path, RULES, template.replace("VALUE", "method.request.querystring.tenant"))
    assert outcome.code == 1
    assert "is method.request.querystring.tenant, not the verified tenant" in outcome.text
    assert f"write {KEY}: {SAFE}" in " ".join(outcome.text.split())


def test_it_stops_a_second_stack(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(method("method.request.header.X-Tenant-Id"))
    stack = SecondStack(tmp_path / "template.yaml")
    given = list(notices(stack, Template((), (), {}), tmp_path / "rules.toml"))
    assert [notice.stops for notice in given] == [True, False]


def test_a_template_that_cannot_be_read_fails(tmp_path: Path) -> None:
    with pytest.raises(Failure):
        tenant_findings(tmp_path / "missing.yaml")


def test_the_example_passes_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    given = ["rules", "check", str(EXAMPLE / "rules.toml"), "--template", str(EXAMPLE / "template.yaml")]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 0, result.output
