"""What the gateway reads out of a SAM template."""

from pathlib import Path

import pytest

from lambda_gateway.model import Cors, TemplateError
from lambda_gateway.template.reader import read_template, variable_name
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


def test_reads_a_function(tmp_path: Path) -> None:
    template = (
        "Globals:\n  Function:\n    Timeout: 7\n    Layers: [!Ref Shared]\n"
        "    Environment: { Variables: { A: one, B: two } }\n"
        + HEAD
        + "  Shared:\n    Type: AWS::Serverless::LayerVersion\n    Properties: { ContentUri: shared/ }\n"
        + function_resource(
            "Hello", "hello", "MemorySize: 512\nEnvironment: { Variables: { B: three, C: 4, D: true } }\n"
        )
    )
    (tmp_path / "shared").mkdir()
    function = read_template(write(tmp_path, template)).functions["Hello"]
    assert function.root == tmp_path
    assert function.code == tmp_path / "functions" / "hello"
    assert function.layers == (tmp_path / "shared",)
    assert (function.timeout, function.memory) == (7.0, 512)
    assert function.env == {"A": "one", "B": "three", "C": "4", "D": "true"}


def test_a_built_layers_python_folder_goes_on_the_path(tmp_path: Path) -> None:
    template = HEAD + "  Shared:\n    Type: AWS::Serverless::LayerVersion\n    Properties: { ContentUri: shared }\n"
    (tmp_path / "shared" / "python").mkdir(parents=True)
    read = read_template(write(tmp_path, template + function_resource("Hello", "hello", "Layers: !Ref Shared\n")))
    assert read.functions["Hello"].layers == (tmp_path / "shared" / "python",)


def test_values_for_this_machine_reach_parameters_and_variables_of_their_name_and_no_other(tmp_path: Path) -> None:
    template = (
        "Parameters:\n  OidcIssuerUrl: { Type: String }\n  Stage: { Type: String, Default: prod }\n"
        + HEAD
        + function_resource("Hello", "hello", "Environment: { Variables: { OIDC_ISSUER_URL: !Ref OidcIssuerUrl } }\n")
        + function_resource("Other", "guard", "Environment: { Variables: { X: !Ref Stage } }\n")
    )
    variables = {"OIDC_ISSUER_URL": "http://issuer", "DATABASE_URL": "postgresql://secret"}
    functions = read_template(write(tmp_path, template), variables).functions
    assert functions["Hello"].env == {"OIDC_ISSUER_URL": "http://issuer"}
    assert functions["Other"].env == {"X": "prod"}


def test_secrets_go_only_to_functions_that_may_read_the_secret(tmp_path: Path) -> None:
    template = (
        HEAD
        + function_resource("Hello", "hello", "Environment: { Variables: { AWS_SECRETS_MANAGER_SECRET_ID: arn } }\n")
        + function_resource("Other", "guard")
    )
    functions = read_template(write(tmp_path, template), {}, {"OIDC_CLIENT_SECRET": "s"}).functions
    assert functions["Hello"].env["OIDC_CLIENT_SECRET"] == "s"
    assert "OIDC_CLIENT_SECRET" not in functions["Other"].env


def test_a_variable_that_only_a_deployed_stack_knows_is_left_unset(tmp_path: Path) -> None:
    table = "  Table:\n    Type: AWS::DynamoDB::Table\n"
    variables = "Environment: { Variables: { TABLE: !GetAtt Table.Arn, A: b } }\n"
    functions = read_template(write(tmp_path, HEAD + table + function_resource("Hello", "hello", variables))).functions
    assert functions["Hello"].env == {"A": "b"}


def test_the_log_format_is_what_lambda_would_set(tmp_path: Path) -> None:
    logging = "LoggingConfig: { LogFormat: JSON, ApplicationLogLevel: TRACE }\n"
    function = read_template(write(tmp_path, HEAD + function_resource("Hello", "hello", logging))).functions["Hello"]
    assert function.env == {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "TRACE"}


def test_a_resource_whose_condition_is_false_is_not_there(tmp_path: Path) -> None:
    conditions = "Conditions:\n  Never: !Equals [a, b]\n"
    hidden = function_resource("Hello", "hello", event("GET", "/")) + "    Condition: Never\n"
    read = read_template(write(tmp_path, conditions + HEAD + hidden))
    assert read.api.routes == ()
    assert read.functions == {}


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


def test_the_default_authorizer_guards_what_doesnt_opt_out(tmp_path: Path) -> None:
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
def test_how_long_an_answer_is_cached(tmp_path: Path, identity: str, ttl: int) -> None:
    given = "".join(line for line in AUTHORIZER.splitlines(keepends=True) if "Identity" not in line) + identity
    read = read_template(write(tmp_path, api(given) + function_resource("Guard", "guard")))
    assert read.api.authorizers["Gate"].ttl == ttl


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_reads_an_authorizer_that_answers_policies(tmp_path: Path, version: str) -> None:
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


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        pytest.param(api("DefinitionBody: {}"), "OpenAPI definition isn't read", id="openapi"),
        pytest.param(
            HEAD + function_resource("H", "hello", event("GET", "/").replace("!Ref HttpApi", "elsewhere")),
            "is no HttpApi of this template",
            id="foreign-api",
        ),
        pytest.param(
            HEAD + function_resource("H", "hello", event("GET", "/", ", PayloadFormatVersion: '1.0'")),
            "only 2.0 is emulated",
            id="payload-1.0",
        ),
        pytest.param(
            HEAD + function_resource("H", "hello", event("GET", "/", ", Auth: { Authorizer: Nobody }")),
            "there is no authorizer Nobody",
            id="unknown-authorizer",
        ),
        pytest.param(HEAD + function_resource("H", "hello", event("FETCH", "/")), "is no method", id="unknown-method"),
        pytest.param(
            HEAD + function_resource("H", "hello").replace("python3.13", "nodejs22.x"),
            "only Python",
            id="other-runtime",
        ),
        pytest.param(HEAD + function_resource("H", "hello", "InlineCode: x\n"), "isn't run locally", id="inline-code"),
        pytest.param(
            HEAD + function_resource("H", "hello", "Layers: [arn:aws:lambda:layer]\n"),
            "only layers of this template",
            id="foreign-layer",
        ),
        pytest.param(HEAD + function_resource("H", "hello", "Timeout: soon\n"), "is not a number", id="bad-timeout"),
        pytest.param(
            api("Auth: { Authorizers: { J: { JwtConfiguration: {} } } }"),
            "only Lambda authorizers",
            id="jwt-authorizer",
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
        pytest.param(api(AUTHORIZER), "GetAtt names Guard, which is no resource", id="authorizer-function-missing"),
        pytest.param(
            api("CorsConfiguration: { AllowOrigins: ['*'], AllowCredentials: true }"), "refuses \\*", id="cors-wildcard"
        ),
        pytest.param(api("Auth: yes"), "must be a map", id="wrong-type"),
    ],
)
def test_says_what_it_cannot_emulate(tmp_path: Path, template: str, complaint: str) -> None:
    with pytest.raises(TemplateError, match=complaint):
        read_template(write(tmp_path, template))


@pytest.mark.parametrize(
    ("parameter", "variable"),
    [("OidcIssuerUrl", "OIDC_ISSUER_URL"), ("Environment", "ENVIRONMENT"), ("JWTLeewaySeconds", "JWT_LEEWAY_SECONDS")],
)
def test_a_parameters_variable(parameter: str, variable: str) -> None:
    assert variable_name(parameter) == variable
