"""The check of a second stack before it is served: exact words, and the findings that stop the start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from lambda_gateway.model import Template, TemplateError
from tenantgate_cli.commands.second_stack_check import Notice, SecondStackCheck
from tenantgate_cli.stack.second_stack import SecondStack
from tenantgate_cli.stack.templates import read_product_template
from tests.fixtures.gateway.jwt_apis import sam_http
from tests.fixtures.gateway.project import HEAD, function_resource, write_project

SECOND = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth:
        DefaultAuthorizer: Gate
        Authorizers:
          Gate:
            FunctionArn: !GetAtt Guard.Arn
            AuthorizerPayloadFormatVersion: "2.0"
            EnableSimpleResponses: true
            Identity: { Headers: [Authorization], Context: [routeKey], ReauthorizeEvery: 60 }
""" + function_resource(
    "Guard", "guard", "Events: { A: { Type: HttpApi, Properties: { ApiId: !Ref Api, Method: GET, Path: /a } } }\n"
)
GRAPH = "  Graph: { Type: AWS::AppSync::GraphQLApi, Properties: { Name: g } }\n"
RULES = 'version = 1\n[[api]]\nname = "a"\nids = ["Api"]\n[[api.route]]\nroute = "GET /a"\n'
NO_CACHE = "don't cache: ReauthorizeEvery: 0 (AuthorizerResultTtlInSeconds: 0)"


class Second:
    """A second stack in a folder, and its check."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "ours").mkdir()
        (folder / "theirs").mkdir()
        self.ours = read_product_template(write_project(folder / "ours", HEAD, {}))
        self.rules = folder / "theirs" / "rules.toml"
        self.check: SecondStackCheck | None = None

    def notices(self, template: str, rules: str | None, served: Sequence[str] = ()) -> list[Notice]:
        """Run the check. Raises TemplateError."""
        if rules is not None:
            self.rules.write_text(rules)
        stack = SecondStack(write_project(self.folder / "theirs", template, {"guard": "x = 1"}))
        stack.settings({})
        self.check = self.check or SecondStackCheck(stack)
        joined: Template = stack.joined(self.ours)
        self.check.run(joined, self.rules, served)
        return self.check.news()


@pytest.fixture
def second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Second:
    stack = Second(tmp_path)
    monkeypatch.chdir(tmp_path / "theirs")
    return stack


def test_a_safe_stack_has_no_notices(second: Second) -> None:
    assert second.notices(SECOND, RULES) == []


def test_jwt_authorizers_need_no_rules(second: Second) -> None:
    template = sam_http("https://login.example.test", "orders").replace("Hello", "Guard").replace("hello", "guard")
    assert second.notices(template, None) == []


@pytest.mark.parametrize(
    ("template", "rules", "problem", "remedy"),
    [
        (
            SECOND,
            RULES.replace("GET /a", "GET /b"),
            (
                "template.yaml:20: GET /a is behind authorizer Gate of Api, and no rule matches it: all its requests "
                "would be denied"
            ),
            'add [[api.route]] route = "GET /a" to the rules of "a"',
        ),
        (
            HEAD,
            RULES,
            "template.yaml has no authorizer: every caller may use its APIs",
            "see docs/GUARD_YOUR_API.md",
        ),
        (
            SECOND + GRAPH,
            RULES,
            "Graph (AWS::AppSync::GraphQLApi) isn't served here",
            (
                "check a token against its rules with tenantgate explain --token-file FILE --route 'POST /graphql' "
                "--api Graph; the event that AppSync sends to the authorizer is in "
                "tests/fixtures/authorizer/event_files/appsync.json"
            ),
        ),
    ],
    ids=["uncovered", "open", "graphql"],
)
def test_what_only_warns(second: Second, template: str, rules: str, problem: str, remedy: str) -> None:
    assert second.notices(template, rules) == [Notice(problem, remedy)]


@pytest.mark.parametrize(
    ("template", "rules", "words"),
    [
        (
            SECOND.replace(", Context: [routeKey]", ""),
            RULES,
            (
                "template.yaml:13: authorizer Gate of Api caches results for 60 s, each of which is for one route, and "
                "API Gateway would use it for all other routes\n"
                f"  → add $context.routeKey to the identity source (Context: [routeKey]), or {NO_CACHE}"
            ),
        ),
        (
            SECOND.replace("Headers: [Authorization]", "Headers: [X-Key]"),
            RULES,
            (
                "template.yaml:13: authorizer Gate of Api caches results for 60 s without the credential in the cache "
                "key: a caller would get another caller's result\n"
                f"  → add the header Authorization to the identity source, or {NO_CACHE}"
            ),
        ),
        (
            SECOND,
            f"{RULES}max_auth_age_seconds = 60\n",
            (
                "template.yaml:13: authorizer Gate of Api caches results for 60 s, past the max_auth_age_seconds of "
                f'"GET /a" (rules.toml:6)\n  → {NO_CACHE}'
            ),
        ),
        (SECOND, RULES.replace("route =", "rout ="), "rules.toml"),
        (SECOND, "\x00", "rules.toml"),
    ],
    ids=["route", "credential", "age", "key", "no-toml"],
)
def test_what_stops_the_start(second: Second, template: str, rules: str, words: str) -> None:
    with pytest.raises(TemplateError) as error:
        second.notices(template, rules)
    assert str(error.value).startswith(words)
    assert "\n  → " in str(error.value)
    if words != "rules.toml":
        assert str(error.value) == words


def test_a_missing_rules_file_is_left_to_the_ready_lines(second: Second) -> None:
    assert second.notices(SECOND, None) == []


def test_a_warning_is_shown_again_only_after_it_was_gone(second: Second) -> None:
    uncovered = RULES.replace("GET /a", "GET /b")
    assert len(second.notices(SECOND, uncovered)) == 1
    assert second.notices(SECOND, uncovered) == []
    assert second.notices(SECOND, RULES) == []
    assert len(second.notices(SECOND, uncovered)) == 1


def test_an_api_that_is_added_while_the_stack_runs_is_noticed(second: Second) -> None:
    assert second.notices(SECOND, RULES, ["theirs-Api"]) == []
    added = f"{SECOND}  Other: {{ Type: AWS::Serverless::HttpApi }}\n"
    assert second.notices(added, RULES, ["theirs-Api"]) == [
        Notice("Other, HTTP API, was added and isn't served yet", "stop, and start again: make dev")
    ]
