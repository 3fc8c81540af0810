"""Two stacks: the second imports the exports of the first, and both have their own functions."""

from pathlib import Path

import pytest

from lambda_gateway.model import Template, TemplateError
from lambda_gateway.template.reader import read_template
from tests.fixtures.gateway.project import HEAD, REST_HEAD, api_event, function_resource, write_project

NOTHING = "def lambda_handler(event, context): pass"
FIRST = (
    HEAD
    + function_resource("Guard", "guard")
    + """\
  Stored:
    Type: AWS::SSM::Parameter
    Properties: { Name: !Sub "/${AWS::StackName}/arn", Value: !GetAtt Guard.Arn }
Outputs:
  GuardArn:
    Value: !GetAtt Guard.Arn
    Export: { Name: !Sub "${AWS::StackName}-GuardArn" }
  Unknown:
    Value: !GetAtt HttpApi.ApiEndpoint
    Export: { Name: unknown }
  Private:
    Value: !GetAtt Guard.Arn
"""
)
AUTH = """\
      Auth: {{ DefaultAuthorizer: Gate, Authorizers: {{ Gate: {{ FunctionArn: {arn} }} }} }}
"""
HELLO = function_resource("Guard", "hello", api_event("get", "/hello"))


@pytest.fixture
def first(tmp_path: Path) -> Template:
    folder = tmp_path / "first"
    folder.mkdir()
    return read_template(write_project(folder, FIRST, {"guard": NOTHING}), stack="guarding")


def second(folder: Path, first: Template, template: str) -> Template:
    own = folder / "team_orders"
    own.mkdir()
    return read_template(write_project(own, template, {"hello": NOTHING}), after=first)


def test_exports_and_parameters_that_are_known_without_a_deployment(first: Template) -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:Guard"
    assert first.exports == {"guarding-GuardArn": arn}
    assert first.parameters == {"/guarding/arn": arn}


@pytest.mark.parametrize(
    "arn", ["!ImportValue guarding-GuardArn", "'{{resolve:ssm:/guarding/arn}}'"], ids=["export", "parameter"]
)
def test_another_stacks_function_can_be_the_authorizer(tmp_path: Path, first: Template, arn: str) -> None:
    read = second(tmp_path, first, REST_HEAD + AUTH.format(arn=arn) + HELLO)
    assert read.api.authorizers["Gate"].function == "Guard"
    # The second stack's own function with that name is another one.
    assert read.api.routes[0].function == "team-orders-Guard"
    assert set(read.functions) == {"team-orders-Guard"}
    assert set(first.joined(read).functions) == {"Guard", "team-orders-Guard"}
    assert [api.name for api in first.joined(read).apis] == ["HttpApi", "team-orders-RestApi"]


def test_its_own_function_can_be_the_authorizer_too(tmp_path: Path, first: Template) -> None:
    read = second(tmp_path, first, REST_HEAD + AUTH.format(arn="!GetAtt Guard.Arn") + HELLO)
    assert read.api.authorizers["Gate"].function == "team-orders-Guard"


def test_apis_of_a_second_stack_have_their_own_ids(tmp_path: Path, first: Template) -> None:
    read = second(tmp_path, first, REST_HEAD + HELLO)
    assert (first.api.id, read.api.id) == ("local", "RestApi")


def test_an_unknown_import_is_reported_with_its_place(tmp_path: Path, first: Template) -> None:
    with pytest.raises(TemplateError, match=r"RestApi.*no stack exports other-GuardArn"):
        second(tmp_path, first, REST_HEAD + AUTH.format(arn="!ImportValue other-GuardArn") + HELLO)
