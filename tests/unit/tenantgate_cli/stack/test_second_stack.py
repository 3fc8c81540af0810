"""Another team's stack: its variables, the settings that our authorizer needs for it, and its ports."""

from pathlib import Path

import pytest

from lambda_gateway.model import Template, TemplateError
from tenantgate_cli.stack.second_stack import SecondStack
from tenantgate_cli.stack.templates import read_product_template
from tests.fixtures.gateway.project import HEAD, REST_HEAD, api_event, function_resource, write_project

NOTHING = "def lambda_handler(event, context): pass"
VARIABLES = "Environment: { Variables: { DATABASE_URL: theirs, AWS_SECRETS_MANAGER_SECRET_ID: theirs } }\n"


@pytest.fixture
def ours(tmp_path: Path) -> Template:
    folder = tmp_path / "ours"
    folder.mkdir()
    return read_product_template(
        write_project(folder, HEAD, {}), {"DATABASE_URL": "ours"}, {"OIDC_CLIENT_SECRET": "ours"}
    )


def theirs(folder: Path, template: str) -> SecondStack:
    own = folder / "theirs"
    own.mkdir()
    return SecondStack(write_project(own, template, {"hello": NOTHING}))


def test_it_gets_none_of_our_variables_and_secrets(tmp_path: Path, ours: Template) -> None:
    template = REST_HEAD + function_resource("Hello", "hello", VARIABLES + api_event("get", "/"))
    joined = theirs(tmp_path, template).joined(ours)
    assert joined.functions["theirs-Hello"].env == {
        "DATABASE_URL": "theirs",
        "AWS_SECRETS_MANAGER_SECRET_ID": "theirs",
    }


def test_its_rules_are_in_the_folder_of_its_template(tmp_path: Path) -> None:
    stack = theirs(tmp_path, REST_HEAD)
    assert stack.settings({}) == {}
    assert "rules.toml is missing" in stack.note
    rules = tmp_path / "theirs" / "rules.toml"
    rules.write_text("version = 1\n")
    assert stack.settings({}) == {"ROUTE_RULES_FILE": str(rules)}
    assert stack.note == ""


def test_a_rules_file_of_the_caller_wins(tmp_path: Path) -> None:
    stack = theirs(tmp_path, REST_HEAD)
    (tmp_path / "theirs" / "rules.toml").write_text("version = 1\n")
    assert stack.settings({"ROUTE_RULES_FILE": "/mine.toml"}) == {}


NOT_SERVED = {
    "Graph: { Type: AWS::AppSync::GraphQLApi, Properties: { Name: g } }": (
        "Graph (AWS::AppSync::GraphQLApi) isn't served here: check a token against its rules with tenantgate explain "
        "--token-file FILE --route 'POST /graphql' --api Graph; the event that AppSync sends to the authorizer is in "
        "tests/fixtures/authorizer/event_files/appsync.json"
    ),
    "Graph: { Type: AWS::Serverless::GraphQLApi, Properties: { Name: g } }": (
        "Graph (AWS::Serverless::GraphQLApi) isn't served here: check a token against its rules with tenantgate "
        "explain --token-file FILE --route 'POST /graphql' --api Graph; the event that AppSync sends to the authorizer "
        "is in tests/fixtures/authorizer/event_files/appsync.json"
    ),
    "Events: { Type: AWS::AppSync::Api, Properties: { Name: e } }": (
        "Events (AWS::AppSync::Api) isn't served here: the authorizer doesn't support AppSync Events, only AppSync's "
        "GraphQL APIs"
    ),
    "Old: { Type: AWS::ApiGateway::RestApi, Properties: { Name: o } }": (
        "Old (AWS::ApiGateway::RestApi) isn't served here: declare it as AWS::Serverless::Api, with Api events at its "
        "functions, or give it a JWT authorizer"
    ),
    "New: { Type: AWS::ApiGatewayV2::Api, Properties: { Name: n, ProtocolType: HTTP } }": (
        "New (AWS::ApiGatewayV2::Api) isn't served here: declare it as AWS::Serverless::HttpApi, with HttpApi events "
        "at its functions, or give it a JWT authorizer"
    ),
}


@pytest.mark.parametrize(("resource", "line"), NOT_SERVED.items(), ids=["graphql", "sam-graphql", "events", "v1", "v2"])
def test_an_api_that_is_not_served_is_named_with_what_to_do_instead(
    tmp_path: Path, ours: Template, resource: str, line: str
) -> None:
    stack = theirs(tmp_path, f"Resources:\n  {resource}\n")
    with pytest.raises(TemplateError) as error:
        stack.joined(ours)
    first = f"{stack.path}: has no API that is served here (AWS::Serverless::Api, HttpApi or WebSocketApi)"
    assert str(error.value) == f"{first}\n  {line}"
