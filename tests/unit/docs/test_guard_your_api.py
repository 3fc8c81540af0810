"""docs/GUARD_YOUR_API.md: its snippets parse, agree with each other, and name what the template gives."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lambda_gateway.events.request import Request
from lambda_gateway.model import Api, Kind, Payload, Template
from lambda_gateway.responses.gateway_responses import UNAUTHORIZED, respond
from lambda_gateway.template.reader import read_template
from tenantgate.route_rules.file import load_rules
from tenantgate_cli.commands.rules import check
from tenantgate_cli.stack.templates import read_product_template
from tests.fixtures.docs.guard_page import PAGE, ROOT, sam_stack, snippets

TTL = 60
EXPORT = "tenantgate-AuthorizerArn"
PARAMETER = "/tenantgate/tenantgate/authorizer-arn"
# The names in CDK's constructs and Terraform's resources of the properties that the SAM snippets set.
CDK_PROPERTIES = {
    "apigateway.RequestAuthorizer": {"handler", "identitySources", "resultsCacheTtl"},
    "apigateway.RestApi": {"defaultMethodOptions"},
    "HttpLambdaAuthorizer": {"responseTypes", "identitySource", "resultsCacheTtl"},
    "apigatewayv2.HttpApi": {"defaultAuthorizer"},
}
TERRAFORM_ARGUMENTS = {
    "aws_ssm_parameter": {"name"},
    "aws_lambda_function": {"function_name"},
    "aws_api_gateway_authorizer": {
        *("name", "rest_api_id", "type", "authorizer_uri", "identity_source", "authorizer_result_ttl_in_seconds")
    },
    "aws_api_gateway_method": {"rest_api_id", "resource_id", "http_method", "authorization", "authorizer_id"},
    "aws_apigatewayv2_authorizer": {
        *("name", "api_id", "authorizer_type", "authorizer_uri", "authorizer_payload_format_version"),
        *("enable_simple_responses", "identity_sources", "authorizer_result_ttl_in_seconds"),
    },
    "aws_apigatewayv2_route": {"api_id", "route_key", "target", "authorization_type", "authorizer_id"},
}


@pytest.fixture(scope="module")
def ours() -> Template:
    required = {"ENVIRONMENT": "production", "ALLOWED_ORIGINS": "https://app.example.com"}
    return read_product_template(ROOT / "template.yaml", required)


@pytest.fixture(scope="module")
def apis(ours: Template, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Api]:
    """The APIs of the SAM snippets, by the id in the snippet."""
    path = tmp_path_factory.mktemp("team") / "template.yaml"
    path.write_text(sam_stack())
    return {api.id: api for api in read_template(path, after=ours).apis}


def test_the_page_names_what_our_template_exports(ours: Template) -> None:
    assert ours.exports[EXPORT] == ours.parameters[PARAMETER]
    page = PAGE.read_text("utf-8")
    assert set(re.findall(r"tenantgate-\w+", page)) == {EXPORT}
    assert set(re.findall(r"/tenantgate/[\w/-]+", page)) == {PARAMETER}


def test_the_sam_snippet_of_a_rest_api(apis: dict[str, Api]) -> None:
    api = apis["OrdersRestApi"]
    gate = api.authorizers["Tenantgate"]
    assert (api.kind, gate.function, gate.payload, gate.ttl) == (Kind.REST, "AuthorizerFunction", Payload.REQUEST, TTL)
    assert gate.identity_sources == ("method.request.header.Authorization",)
    assert {route.authorizer for route in api.routes} == {"Tenantgate"}


def test_the_sam_snippet_of_an_http_api(apis: dict[str, Api]) -> None:
    api = apis["OrdersHttpApi"]
    gate = api.authorizers["Tenantgate"]
    assert (gate.function, gate.payload, gate.simple, gate.ttl) == ("AuthorizerFunction", Payload.V2, True, TTL)
    # Without the route a cached yes would open the other routes.
    assert gate.identity_sources == ("$request.header.Authorization", "$context.routeKey")


def test_the_sam_snippet_of_a_websocket_api(apis: dict[str, Api]) -> None:
    api = apis["ChatApi"]
    (gate,) = api.authorizers.values()
    assert (api.kind, api.stage, api.selection) == (Kind.WEBSOCKET, "live", ("action",))
    # Browsers and other clients send the token in different headers.
    assert (gate.function, gate.identity_sources, gate.ttl) == ("AuthorizerFunction", (), 0)
    assert [(route.key, route.authorizer) for route in api.routes] == [("$connect", gate.name), ("say", None)]


def test_the_address_for_sending_is_that_of_the_example(apis: dict[str, Api]) -> None:
    (line,) = snippets("text")
    assert line.strip() in (ROOT / "examples" / "guarded_api" / "template.yaml").read_text("utf-8")
    assert line.strip().endswith(f"/{apis['ChatApi'].stage}")


def test_the_snippet_of_gateway_responses(apis: dict[str, Api]) -> None:
    answer = respond(UNAUTHORIZED, apis["OrdersRestApi"], Request("GET", "/orders", "", [], request_id="r-1"))
    assert (answer.status, answer.body) == (401, b'{"message":"Unauthorized","request_id":"r-1"}')
    assert ("www-authenticate", "Bearer") in answer.headers


def test_the_snippet_of_rules() -> None:
    (text,) = snippets("toml")
    assert load_rules(text) is not None


def test_the_cdk_snippet_uses_the_constructs_properties_with_the_same_values() -> None:
    (text,) = snippets("typescript")
    for construct, properties in CDK_PROPERTIES.items():
        (body,) = re.findall(rf"new {re.escape(construct)}\([^{{]*\{{(.*?)\}}\);", text, re.DOTALL)
        used = set(re.findall(r"(?:^|[{\s])(\w+): ", body))
        assert used - {"authorizer"} == properties, construct
    assert f"Fn.importValue('{EXPORT}')" in text
    assert text.count(f"resultsCacheTtl: Duration.seconds({TTL})") == 2
    assert "identitySources: [apigateway.IdentitySource.header('Authorization')]" in text
    assert "identitySource: ['$request.header.Authorization', '$context.routeKey']" in text
    assert "responseTypes: [HttpLambdaResponseType.SIMPLE]" in text


def test_the_terraform_snippet_uses_the_resources_arguments_with_the_same_values() -> None:
    (text,) = snippets("hcl")
    blocks = re.findall(r'^(?:resource|data) "(\w+)" "\w+" \{\n(.*?)^\}$', text, re.DOTALL | re.MULTILINE)
    assert {kind: set(re.findall(r"^  (\w+) += ", body, re.MULTILINE)) for kind, body in blocks} == TERRAFORM_ARGUMENTS
    assert f'name = "{PARAMETER}"' in text
    assert len(re.findall(rf"authorizer_result_ttl_in_seconds +\= {TTL}$", text, re.MULTILINE)) == 2
    assert re.search(r'identity_source +\= "method.request.header.Authorization"', text)
    assert re.search(r'identity_sources +\= \["\$request.header.Authorization", "\$context.routeKey"\]', text)
    assert re.search(r"enable_simple_responses +\= true", text)
    assert re.search(r'authorizer_payload_format_version \= "2.0"', text)


@pytest.mark.skipif(shutil.which("terraform") is None, reason="needs terraform")
def test_terraform_reads_the_snippet(tmp_path: Path) -> None:
    (text,) = snippets("hcl")
    (tmp_path / "main.tf").write_text(text)
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-no-color", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_console_steps_say_the_same() -> None:
    console = PAGE.read_text("utf-8").split("## Console")[1].split("## ")[0]
    assert console.count(f"caching {TTL} seconds") == 2
    assert "`$request.header.Authorization` and `$context.routeKey`" in " ".join(console.split())


def test_the_example_passes_the_check_of_its_rules_and_of_how_it_caches() -> None:
    example = ROOT / "examples" / "guarded_api"
    assert check(example / "rules.toml", example / "template.yaml", None)


def test_every_file_that_the_page_and_the_example_name_is_there() -> None:
    for page in (PAGE, ROOT / "examples" / "guarded_api" / "README.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), target
