"""Values, conditions and errors of SAM templates."""

from pathlib import Path

import pytest

from lambda_gateway.model import TemplateError
from lambda_gateway.template.reader import read_template, variable_name
from tests.fixtures.gateway.project import HEAD, event, function_resource, write_project

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


def test_values_reach_only_the_parameters_and_variables_of_their_names(tmp_path: Path) -> None:
    template = (
        "Parameters:\n  TableName: { Type: String }\n  Stage: { Type: String, Default: prod }\n"
        + HEAD
        + function_resource("Hello", "hello", "Environment: { Variables: { TABLE_NAME: !Ref TableName } }\n")
        + function_resource("Other", "guard", "Environment: { Variables: { X: !Ref Stage } }\n")
    )
    variables = {"TABLE_NAME": "orders", "DATABASE_URL": "postgresql://secret"}
    functions = read_template(write(tmp_path, template), variables).functions
    assert functions["Hello"].env == {"TABLE_NAME": "orders"}
    assert functions["Other"].env == {"X": "prod"}


def test_a_resource_whose_condition_is_false_is_not_there(tmp_path: Path) -> None:
    conditions = "Conditions:\n  Never: !Equals [a, b]\n"
    hidden = function_resource("Hello", "hello", event("GET", "/")) + "    Condition: Never\n"
    read = read_template(write(tmp_path, conditions + HEAD + hidden))
    assert read.api.routes == ()
    assert read.functions == {}


@pytest.mark.parametrize(
    ("template", "message"),
    [
        pytest.param(api("DefinitionBody: {}"), "OpenAPI definitions are not supported", id="openapi"),
        pytest.param(
            HEAD + function_resource("H", "hello", event("GET", "/").replace("!Ref HttpApi", "elsewhere")),
            "isn't an HttpApi of this template",
            id="foreign-api",
        ),
        pytest.param(
            HEAD + function_resource("H", "hello", event("GET", "/", ", PayloadFormatVersion: '1.0'")),
            "only 2.0 is emulated",
            id="payload-1.0",
        ),
        pytest.param(
            HEAD + function_resource("H", "hello", event("GET", "/", ", Auth: { Authorizer: Missing }")),
            "authorizer Missing doesn't exist",
            id="unknown-authorizer",
        ),
        pytest.param(
            HEAD + function_resource("H", "hello", event("FETCH", "/")), "isn't an HTTP method", id="unknown-method"
        ),
        pytest.param(
            HEAD + function_resource("H", "hello").replace("python3.13", "nodejs22.x"),
            "only Python",
            id="other-runtime",
        ),
        pytest.param(
            HEAD + function_resource("H", "hello", "InlineCode: x\n"), "is not supported locally", id="inline-code"
        ),
        pytest.param(
            HEAD + function_resource("H", "hello", "Layers: [arn:aws:lambda:layer]\n"),
            "only layers of this template",
            id="foreign-layer",
        ),
        pytest.param(HEAD + function_resource("H", "hello", "Timeout: soon\n"), "is not a number", id="bad-timeout"),
        pytest.param(
            api("Auth: { Authorizers: { Pool: { UserPoolArn: x } } }"),
            "only Lambda authorizers",
            id="other-authorizer",
        ),
        pytest.param(
            api(AUTHORIZER.replace('"2.0"', '"1.0"')) + function_resource("Guard", "guard"),
            "EnableSimpleResponses: needs AuthorizerPayloadFormatVersion 2.0",
            id="simple-responses-of-payload-1.0",
        ),
        pytest.param(
            api(AUTHORIZER.replace("Headers: [Authorization], QueryStrings: [key], ", ""))
            + function_resource("Guard", "guard"),
            "needs an identity source",
            id="cache-without-identity",
        ),
        pytest.param(api(AUTHORIZER), "GetAtt names Guard, which isn't a resource", id="authorizer-function-missing"),
        pytest.param(
            api("CorsConfiguration: { AllowOrigins: ['*'], AllowCredentials: true }"), "rejects \\*", id="cors-wildcard"
        ),
        pytest.param(api("Auth: yes"), "must be a map", id="wrong-type"),
    ],
)
def test_reports_what_is_not_supported(tmp_path: Path, template: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        read_template(write(tmp_path, template))


@pytest.mark.parametrize(
    ("parameter", "variable"),
    [("TableName", "TABLE_NAME"), ("Environment", "ENVIRONMENT"), ("HTTPPort", "HTTP_PORT")],
)
def test_the_variable_of_a_parameter(parameter: str, variable: str) -> None:
    assert variable_name(parameter) == variable
