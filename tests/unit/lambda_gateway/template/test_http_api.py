"""The HTTP APIs that the gateway reads from a SAM template."""

from pathlib import Path

import pytest

from lambda_gateway.model import Cors
from lambda_gateway.template.reader import read_template
from tests.fixtures.gateway.project import DEFAULT_EVENT, HEAD, event, function_resource, write_project

NOTHING = "def lambda_handler(event, context): pass"


AUTHORIZER = """\
Auth:
  Authorizers:
    Gate:
      FunctionArn: !GetAtt Guard.Arn
      AuthorizerPayloadFormatVersion: "2.0"
      EnableSimpleResponses: true
      Identity: { Headers: [Authorization], QueryStrings: [key], ReauthorizeEvery: 60 }
"""


def api(properties: str) -> str:
    lines = "".join(f"      {line}\n" for line in properties.splitlines())
    return f"{HEAD}    Properties:\n{lines}"


def write(folder: Path, template: str) -> Path:
    return write_project(folder, template, {"hello": NOTHING, "guard": NOTHING})


def test_reads_routes_with_their_functions(tmp_path: Path) -> None:
    template = HEAD + function_resource("Hello", "hello", event("get", "/hello/{name}", ", TimeoutInMillis: 5000"))
    read = read_template(write(tmp_path, template + function_resource("Other", "guard", DEFAULT_EVENT)))
    named, default = read.api.routes
    assert (named.key, named.function, named.timeout) == ("GET /hello/{name}", "Hello", 5.0)
    assert (default.key, default.path, default.function) == ("$default", None, "Other")


def test_reads_an_authorizer(tmp_path: Path) -> None:
    template = (
        api(AUTHORIZER)
        + function_resource("Hello", "hello", event("GET", "/", ", Auth: { Authorizer: Gate }"))
        + function_resource("Guard", "guard")
    )
    read = read_template(write(tmp_path, template))
    gate = read.api.authorizers["Gate"]
    assert (gate.function, gate.ttl) == ("Guard", 60)
    assert gate.identity_sources == ("$request.header.Authorization", "$request.querystring.key")
    assert read.api.routes[0].authorizer == "Gate"


def test_the_default_authorizer_guards_every_route_that_doesnt_opt_out(tmp_path: Path) -> None:
    template = (
        api(AUTHORIZER + "  DefaultAuthorizer: Gate")
        + function_resource("Hello", "hello", event("GET", "/"))
        + function_resource("Guard", "guard", event("GET", "/open", ", Auth: { Authorizer: NONE }"))
    )
    guarded, opened = read_template(write(tmp_path, template)).api.routes
    assert (guarded.authorizer, opened.authorizer) == ("Gate", None)


@pytest.mark.parametrize(
    ("identity", "ttl"),
    [
        pytest.param("", 0, id="nothing-to-cache-by"),
        pytest.param("      Identity: { Headers: [Authorization] }\n", 300, id="cached-by-default"),
        pytest.param("      Identity: { Headers: [Authorization], ReauthorizeEvery: 0 }\n", 0, id="not-cached"),
    ],
)
def test_time_to_live_of_a_result(tmp_path: Path, identity: str, ttl: int) -> None:
    given = "".join(line for line in AUTHORIZER.splitlines(keepends=True) if "Identity" not in line) + identity
    read = read_template(write(tmp_path, api(given) + function_resource("Guard", "guard")))
    assert read.api.authorizers["Gate"].ttl == ttl


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_reads_an_authorizer_that_returns_policies(tmp_path: Path, version: str) -> None:
    given = AUTHORIZER.replace('"2.0"', f'"{version}"').replace("      EnableSimpleResponses: true\n", "")
    template = api(given + "StageVariables: { color: blue }") + function_resource("Guard", "guard")
    read = read_template(write(tmp_path, template)).api
    assert (read.authorizers["Gate"].payload, read.authorizers["Gate"].simple) == (version, False)
    assert read.stage_variables == {"color": "blue"}


def test_reads_cors(tmp_path: Path) -> None:
    given = """\
CorsConfiguration:
  AllowOrigins: [http://a]
  AllowMethods: [GET]
  AllowHeaders: [X-A]
  ExposeHeaders: [X-B]
  MaxAge: 60
  AllowCredentials: true
"""
    cors = read_template(write(tmp_path, api(given))).api.cors
    assert cors == Cors(("http://a",), ("GET",), ("X-A",), ("X-B",), 60, allow_credentials=True)
