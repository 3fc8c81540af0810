"""Another team's stack: its variables, the settings that our authorizer needs for it, and its ports."""

from pathlib import Path

import pytest

from lambda_gateway.model import Api, Kind, Template, TemplateError
from tenantgate_cli.stack.ports import bind
from tenantgate_cli.stack.second_stack import SecondStack, addresses
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


def test_a_template_without_an_api_is_rejected(tmp_path: Path, ours: Template) -> None:
    with pytest.raises(TemplateError, match="has neither"):
        theirs(tmp_path, "Resources:\n" + function_resource("Hello", "hello")).joined(ours)


def test_each_api_except_ours_gets_the_next_free_port(ours: Template) -> None:
    rest = Api("t-Rest", (), {}, kind=Kind.REST, id="Rest", stage="v1")
    http = Api("t-Http", (), {}, id="Http")
    template = ours.joined(Template((), (http, rest), {}))
    with bind(0) as taken, addresses(template, f"http://localhost:{taken.port - 1}") as found:
        ports = [address.bound.port for address in found]
        assert taken.port not in ports
        assert len(set(ports)) == 2
        assert [address.url for address in found] == [
            f"http://localhost:{ports[0]}",
            f"http://localhost:{ports[1]}/v1",
        ]
        assert [address.title for address in found] == ["Http, HTTP API", "Rest, REST API"]
