"""Additions to the files that list endpoints and domains, and the words if a file has another form."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable

import pytest

from tenantgate.route_rules.file import load_rules
from tenantgate_cli.console import Failure
from tenantgate_cli.new.edits import with_alarms, with_block, with_budget, with_contracts, with_function, with_rule
from tenantgate_cli.new.names import Route
from tenantgate_cli.paths import ROOT

ROUTE = Route("GET", "/api/v1/new", ())
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
RULES = (ROOT / "functions" / "authorizer" / "rules.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("api_id", ["*", "container"])
def test_a_rule_goes_after_the_last_guarded_route_of_its_block(api_id: str) -> None:
    before, after = (load_rules(text).for_api(api_id).rules for text in (RULES, with_rule(RULES, ROUTE, api_id)))
    guarded = sum(not rule.public for rule in before)

    assert [rule.route for rule in after] == [
        *(rule.route for rule in before[:guarded]),
        ROUTE.key,
        *(rule.route for rule in before[guarded:]),
    ]
    assert not after[guarded].public


def test_a_function_gets_the_alarms_of_the_others_once() -> None:
    root, alarms = ((ROOT / name).read_text(encoding="utf-8") for name in ("template.yaml", "infra/observability.yaml"))
    template, observability = with_alarms(root, alarms, "TenantCurrentFunction")

    assert template.count("        TenantCurrentFunction: !Ref TenantCurrentFunction\n") == 1
    assert observability.count("\n  TenantCurrentFunction:\n    Type: String\n") == 1
    assert observability.count("\n    TenantCurrent: { Milliseconds: 12000 }\n    UnknownRoute: {") == 1
    # Of its errors, of its throttles, and of its slow invocations.
    assert observability.count("\n       TenantCurrent,\n       UnknownRoute,") == 3


def test_a_rule_of_a_block_without_routes_is_its_first() -> None:
    text = 'version = 1\n\n[[api]]\nname = "n"\nids = ["*"]\n'

    assert with_rule(text, ROUTE, "*") == f'{text}\n[[api.route]]\nroute = "GET /api/v1/new"\n'


def test_a_domain_joins_each_contract_once() -> None:
    project = tomllib.loads(with_contracts(PYPROJECT, "zz_example"))
    before = tomllib.loads(PYPROJECT)

    for contract, old in zip(
        project["tool"]["importlinter"]["contracts"], before["tool"]["importlinter"]["contracts"], strict=True
    ):
        changed = {key: set(value) - set(old[key]) for key, value in contract.items() if value != old[key]}
        assert changed == {
            "floors": {"layers": {"zz_example"}},
            "web-apart": {"forbidden_modules": {"tenantgate.zz_example"}},
            "domains-meet-in-wiring": {"modules": {"tenantgate.zz_example"}},
            "wiring-on-top": {"protected_modules": {"tenantgate.zz_example.wiring"}},
            "plain": {"source_modules": {"tenantgate.zz_example"}},
        }.get(contract["id"], {})
    floors = project["tool"]["tenantgate"]["coverage-floors"]
    assert floors["zz_example"] == 95


@pytest.mark.parametrize(("domain", "before"), [("aaa_example", None), ("zz_example", "web")])
def test_a_floor_is_among_those_of_the_packages(domain: str, before: str | None) -> None:
    floors = list(tomllib.loads(with_contracts(PYPROJECT, domain))["tool"]["tenantgate"]["coverage-floors"])
    place = floors.index(domain)

    assert (floors[place - 1] if place else None) == before


def test_a_budget_is_that_of_a_function_without_a_domain() -> None:
    known = json.loads(with_budget('{"auth_me": ["fastapi"], "home": []}', "aaa"))

    assert list(known.items()) == [("aaa", ["fastapi"]), ("auth_me", ["fastapi"]), ("home", [])]


@pytest.mark.parametrize(
    ("edit", "problem", "remedy"),
    [
        (
            lambda: with_function("Resources:\n", "  NewFunction:\n"),
            "template.yaml has no single line 'UnknownRouteRole:'",
            "add this by hand:\n  NewFunction:",
        ),
        (
            lambda: with_rule("version = 1\n", ROUTE, "*"),
            'functions/authorizer/rules.toml has no block with the id "*"',
            "add the rule for GET /api/v1/new by hand",
        ),
        (
            lambda: with_budget("{}", "tenant_current"),
            "tests/functional/import_budgets.json has no budget of auth_me",
            "add the budget of tenant_current by hand",
        ),
        (
            lambda: with_contracts("", "notes"),
            'pyproject.toml has no contract "web-apart" with forbidden_modules',
            'add "tenantgate.notes" by hand',
        ),
        (
            lambda: with_contracts(PYPROJECT.replace("coverage-floors", "floors"), "notes"),
            "pyproject.toml has no [tool.tenantgate.coverage-floors]",
            "add notes = 95 by hand",
        ),
        (
            lambda: with_block("", "AUTH_130", "notes"),
            "cli/tenantgate_cli/checks/error_numbers.py has no single line '# A new domain takes the next free block.'",
            'add this by hand:\n    "AUTH_130": "notes",',
        ),
    ],
)
def test_a_file_of_another_form_is_not_changed(edit: Callable[[], str], problem: str, remedy: str) -> None:
    with pytest.raises(Failure) as caught:
        edit()

    assert (str(caught.value), caught.value.remedy) == (problem, remedy)
