"""The presets: their resources, their requirements, and the parameters that the rules refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from lambda_gateway.template.document import load_template
from lambda_gateway.template.intrinsics import Resolver
from tests.fixtures.template.deployed import TEMPLATE, Stack

DOCUMENT: dict[str, Any] = dict(load_template(TEMPLATE))
PRESETS = ("external", "small", "production")
URL = "postgresql://u:p@db.example.com/n?sslmode=verify-full"
ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:a-AbCdEf"
EXTERNAL = {"Preset": "external", "DatabaseUrl": URL, "DatabaseOwnerUrl": URL, "SecretArn": ARN}


def resolver(given: Mapping[str, str]) -> Resolver:
    return Resolver(DOCUMENT, given)


def made(**given: str) -> set[str]:
    evaluated = resolver(given)
    return {
        name
        for name, body in DOCUMENT["Resources"].items()
        if "Condition" not in body or evaluated.condition(body["Condition"], name)
    }


def refused(given: Mapping[str, str]) -> list[str]:
    """Return the descriptions of the assertions that CloudFormation would refuse these parameters with."""
    evaluated = resolver(given)
    return [
        assertion["AssertDescription"]
        for name, rule in DOCUMENT["Rules"].items()
        if evaluated.resolve(rule["RuleCondition"], name)
        for assertion in rule["Assertions"]
        if not evaluated.resolve(assertion["Assert"], name)
    ]


@pytest.mark.parametrize("preset", PRESETS)
def test_small_and_production_make_the_network_and_the_data(preset: str) -> None:
    names = made(Preset=preset)

    assert {"Network", "Data"} <= names if preset != "external" else not {"Network", "Data"} & names
    assert {"Jobs", "Observability", "Migrations"} <= names


@pytest.mark.parametrize("preset", PRESETS)
def test_readers_protection_canaries_and_snapshots_are_for_production(preset: str) -> None:
    evaluated = resolver({"Preset": preset})
    data = DOCUMENT["Resources"]["Data"]["Properties"]["Parameters"]
    function = DOCUMENT["Globals"]["Function"]
    in_production = preset == "production"

    for name in ("Readers", "DeletionProtection"):
        assert evaluated.resolve(data[name], name) == ("true" if in_production else "false")
    assert evaluated.resolve(function["SnapStart"]["ApplyOn"], "") == ("PublishedVersions" if in_production else "None")
    assert evaluated.resolve(function["DeploymentPreference"]["Type"], "") == (
        "Canary10Percent5Minutes" if in_production else "AllAtOnce"
    )
    alarms = {name for name in made(Preset=preset) if name.startswith("Release")}
    assert bool(alarms) == in_production


def test_external_is_the_default_and_small_takes_only_the_provider() -> None:
    parameters = DOCUMENT["Parameters"]

    assert parameters["Preset"]["Default"] == "external"
    assert {name for name, body in parameters.items() if "Default" not in body} == {"OidcIssuerUrl", "OidcClientId"}
    for preset in ("small", "production"):
        assert not refused({"Preset": preset})


@pytest.mark.parametrize(
    ("given", "word"),
    [
        pytest.param(EXTERNAL | {"DatabaseUrl": ""}, "DatabaseUrl", id="external-without-a-database"),
        pytest.param(EXTERNAL | {"DatabaseOwnerUrl": ""}, "DatabaseOwnerUrl", id="external-without-an-owner"),
        pytest.param(EXTERNAL | {"SecretArn": ""}, "SecretArn", id="external-without-a-secret"),
        pytest.param({"Preset": "small", "DatabaseUrl": URL}, "ignore", id="small-with-a-database"),
        pytest.param({"Preset": "production", "SecretArn": ARN}, "ignore", id="production-with-a-secret"),
        pytest.param({"Preset": "small", "DatabaseOwnerSecretArn": ARN}, "ignore", id="small-with-an-owner"),
        pytest.param(EXTERNAL | {"DatabaseOwnerKeyArn": "arn:k"}, "missing", id="a-key-without-its-secret"),
        pytest.param({"Preset": "small", "RedisUrl": "rediss://h:6379"}, "ignore", id="small-with-a-cache"),
        pytest.param(
            EXTERNAL | {"DomainName": "auth.example.com"}, "CertificateArn", id="domain-without-a-certificate"
        ),
        pytest.param(EXTERNAL | {"ExecuteApiEndpoint": "disabled"}, "DomainName", id="an-api-without-a-way-in"),
    ],
)
def test_the_rules_refuse(given: dict[str, str], word: str) -> None:
    [reason] = refused(given)

    assert word in reason


@pytest.mark.parametrize(
    "domain",
    [
        pytest.param({}, id="no-domain"),
        pytest.param({"CertificateArn": "arn:aws:acm:eu-central-1:123456789012:certificate/a"}, id="certificate"),
        pytest.param({"HostedZoneId": "Z123"}, id="zone"),
    ],
)
def test_the_rules_accept(domain: dict[str, str]) -> None:
    given = {**EXTERNAL, **domain, "ExecuteApiEndpoint": "disabled", "DomainName": "auth.example.com"}

    assert not refused(given if domain else EXTERNAL)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, set(), id="none"),
        pytest.param({"CertificateArn": "arn:x"}, {"ApiDomain", "ApiDomainMapping"}, id="certificate"),
        pytest.param(
            {"HostedZoneId": "Z123"}, {"ApiDomain", "ApiDomainMapping", "ApiDomainRecord", "Certificate"}, id="zone"
        ),
        pytest.param(
            {"CertificateArn": "arn:x", "HostedZoneId": "Z123"},
            {"ApiDomain", "ApiDomainMapping", "ApiDomainRecord"},
            id="both",
        ),
    ],
)
def test_a_domain_makes_what_it_lacks(given: dict[str, str], expected: set[str]) -> None:
    all_of_them = {"ApiDomain", "ApiDomainMapping", "ApiDomainRecord", "Certificate"}

    assert made(**given, **({"DomainName": "auth.example.com"} if given else {})) & all_of_them == expected


@pytest.mark.parametrize(
    ("given", "in_vpc"),
    [
        pytest.param({"Preset": "external"}, False, id="external"),
        pytest.param({"Preset": "external", "SubnetIds": "subnet-0a"}, True, id="external-in-given-subnets"),
        pytest.param({"Preset": "small"}, True, id="small"),
        pytest.param({"Preset": "production"}, True, id="production"),
    ],
)
def test_functions_are_in_the_network_of_their_database(given: dict[str, str], in_vpc: bool) -> None:
    assert ("NetworkPolicy" in made(**given)) is in_vpc


def test_no_password_is_in_the_environment_of_small_and_production(stack: Stack) -> None:
    hidden = {name for name, body in DOCUMENT["Parameters"].items() if body.get("NoEcho")}
    evaluated = Resolver(stack.document, {"Preset": "small", "OidcIssuerUrl": "https://i", "OidcClientId": "c"})
    for function in stack.functions:
        for variable, value in stack.environment(function).items():
            chosen = value
            while isinstance(chosen, dict) and "Fn::If" in chosen:
                condition, then, otherwise = chosen["Fn::If"]
                chosen = then if evaluated.condition(condition, variable) else otherwise
            assert not any(chosen == {"Ref": name} for name in hidden), (function, variable)
