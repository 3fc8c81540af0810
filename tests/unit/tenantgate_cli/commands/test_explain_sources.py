"""The rules, the API and the settings that `tenantgate explain` consults, and the words that name them."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from tenantgate_cli.commands.explain_sources import consulted_rules, consulted_verification
from tenantgate_cli.console import Failure
from tenantgate_cli.stack.running_stack import RunningStack
from tests.fixtures.authorizer.guarded import RULES
from tests.fixtures.tokens.issuer import public_jwks

SERVED = {"local": "HTTP API", "OrdersHttpApi": "HTTP API"}
ORDERS = """\
version = 1

[[api]]
name = "orders over HTTP"
ids = ["OrdersHttpApi"]

[[api.route]]
route = "GET /orders"
"""
OWN = "functions/authorizer/rules.toml"


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(ORDERS)
    return path


def running(rules: Path | None = None, **settings: str) -> RunningStack:
    own = {"ENVIRONMENT": "development", "OIDC_ISSUER_URL": "http://localhost:3000/idp", "OIDC_AUDIENCE": "api"}
    named = {"ROUTE_RULES_FILE": str(rules)} if rules is not None else {}
    return RunningStack("http://localhost:3000", {**own, **named, **settings}, SERVED)


def test_the_running_stacks_rules_are_consulted_and_named(orders: Path) -> None:
    found = consulted_rules(None, "OrdersHttpApi", {"ROUTE_RULES_FILE": "/of/another.toml"}, running(orders))
    assert found.rules.for_api("OrdersHttpApi").name == "orders over HTTP"
    assert found.words == {
        "rules": f"{orders} (the running stack's), then {OWN}",
        "api": 'OrdersHttpApi, block "orders over HTTP"',
    }


SOURCES = [
    pytest.param(True, True, True, "{file} (as given), then {own}", id="the-option"),
    pytest.param(False, True, True, "{own} (the running stack's)", id="a-stack-without-a-file"),
    pytest.param(False, False, True, "{file} (ROUTE_RULES_FILE of your environment), then {own}", id="environment"),
    pytest.param(False, False, False, "{own} (the product's own)", id="none"),
]


@pytest.mark.parametrize(("option", "runs", "variable", "words"), SOURCES)
def test_the_file_is_named_with_its_source(
    orders: Path, *, option: bool, runs: bool, variable: bool, words: str
) -> None:
    found = consulted_rules(
        orders if option else None,
        None,
        {"ROUTE_RULES_FILE": str(orders)} if variable else {},
        running() if runs else None,
    )
    assert found.words["rules"] == words.format(file=orders, own=OWN)


APIS = [
    pytest.param("orders over HTTP", "OrdersHttpApi", 'OrdersHttpApi, block "orders over HTTP"', id="by-its-name"),
    pytest.param("local", "local", 'local, block "tenantgate" of every other API', id="served-without-a-block"),
    pytest.param("*", "*", '*, block "tenantgate" of every other API', id="any-other"),
    pytest.param(
        None,
        "*",
        '*, block "tenantgate" of every other API; others with their own block: --api OrdersHttpApi',
        id="not-given",
    ),
]


@pytest.mark.parametrize(("given", "api_id", "words"), APIS)
def test_the_api_is_named(orders: Path, given: str | None, api_id: str, words: str) -> None:
    found = consulted_rules(None, given, {}, running(orders))
    assert (found.api_id, found.words["api"]) == (api_id, words)


def test_an_unknown_api_is_an_error_with_the_known_ones(orders: Path) -> None:
    with pytest.raises(Failure) as failure:
        consulted_rules(None, "Ordres\x1b", {}, running(orders))
    assert str(failure.value) == "there is no API 'Ordres?' in these rules"
    assert failure.value.remedy == (
        "the APIs are * (tenantgate), container (tenantgate-container), OrdersHttpApi (orders over HTTP), local; "
        "* is any other API"
    )


def test_without_a_stack_the_apis_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    found = consulted_rules(path, "q7w3e5r9t1", {}, None)
    assert found.api_id == "q7w3e5r9t1"
    with pytest.raises(Failure, match=re.escape("there is no API 'OrdersHttpApi' in these rules")):
        consulted_rules(path, "OrdersHttpApi", {}, None)


def test_the_running_stacks_settings_are_consulted_and_named() -> None:
    found = consulted_verification(None, {}, running(TENANT_ID_PATTERN="t-{digits}"))
    assert found.words == {"tokens": "http://localhost:3000/idp for api (the running stack's)"}
    assert found.policy.tenant_id_pattern.fullmatch("t-7")


def test_a_running_container_has_the_built_in_provider() -> None:
    found = consulted_verification(None, {}, RunningStack("http://localhost:3000"))
    assert found.words == {"tokens": "http://localhost:3000/idp for tenantgate-api (the running stack's)"}


def test_an_issuer_of_the_environment_wins() -> None:
    variables = {"OIDC_ISSUER_URL": "https://login.example.com", "OIDC_AUDIENCE": "orders"}
    found = consulted_verification(None, variables, running())
    assert found.words == {"tokens": "https://login.example.com for orders (of your environment)"}


def test_without_an_issuer_and_a_stack_it_says_what_to_set() -> None:
    with pytest.raises(Failure) as failure:
        consulted_verification(None, {}, None)
    assert str(failure.value) == "no issuer is configured, and no stack runs here"


def test_keys_of_another_issuer_are_not_taken_from_the_running_stack(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"fetched_at": time.time(), **public_jwks()}))
    other = {"OIDC_ISSUER_URL": "https://login.example.com", "OIDC_AUDIENCE": "x", "OIDC_JWKS_FILE": str(keys)}
    found = consulted_verification(None, {}, running(None, **other))
    [issuer] = found.policy.issuers
    assert found.keys(issuer) is not None
