"""Names that begin with the stack's: the longest one that a deployment accepts fits every service's limit.

A name that is too long fails only when its resource is made, late in a deployment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import ascii_letters, digits, punctuation
from typing import Any

import pytest

from lambda_gateway.template.document import load_template
from tenantgate_cli.paths import TEMPLATE
from tests.fixtures.template.nested import NAMES, nested

# The properties that are names, by their type: the longest one and the form, as the services' API references have them.
_LETTERS = r"[A-Za-z][A-Za-z0-9-]*"
_LOWER = r"[a-z](-?[a-z0-9])*"
LIMITS: dict[str, tuple[int, str]] = {
    "AWS::Serverless::LayerVersion LayerName": (140, r"[A-Za-z0-9_-]+"),
    "AWS::Serverless::HttpApi Name": (128, r".+"),
    "AWS::SSM::Parameter Name": (1011, r"(/[A-Za-z0-9_.-]+){1,15}"),
    "AWS::Logs::LogGroup LogGroupName": (512, r"[.\-_/#A-Za-z0-9]+"),
    "AWS::Logs::DeliverySource Name": (60, r"[\w-]+"),
    "AWS::Logs::DeliveryDestination Name": (60, r"[\w-]+"),
    "AWS::Logs::Delivery DeliverySourceName": (60, r"[\w-]+"),
    "AWS::Logs::MetricFilter MetricNamespace": (255, r"(?!AWS/)[^:*$]+"),
    "AWS::CloudWatch::Alarm Namespace": (255, r"(?!AWS/)[^:]+"),
    "AWS::CloudWatch::Alarm AlarmName": (255, r".+"),
    "AWS::CloudWatch::Dashboard DashboardName": (255, r"[A-Za-z0-9_-]+"),
    "AWS::Budgets::Budget BudgetName": (100, r"[^:\\/]+"),
    "AWS::SNS::Topic DisplayName": (100, r".+"),
    "AWS::RDS::DBCluster DBClusterIdentifier": (63, _LOWER),
    "AWS::RDS::DBProxy DBProxyName": (63, r"[A-Za-z](-?[A-Za-z0-9])*"),
    # The service keeps them in lower case, and the login by IAM compares them.
    "AWS::ElastiCache::ServerlessCache ServerlessCacheName": (40, _LOWER),
    "AWS::ElastiCache::User UserId": (40, _LOWER),
    "AWS::ElastiCache::User UserName": (40, _LOWER),
    "AWS::ElastiCache::UserGroup UserGroupId": (40, _LOWER),
    "AWS::WAFv2::WebACL Name": (128, r"[\w-]+"),
    "AWS::WAFv2::WebACL MetricName": (128, r"(?!(All|Default_Action)\Z)[\w-]+"),
    "AWS::CloudFront::Distribution Comment": (128, r".*"),
    "AWS::KMS::Key Description": (8192, r".*"),
    "AWS::SecretsManager::Secret Description": (2048, r".*"),
    "Export Name": (255, r"[A-Za-z0-9:-]+"),
    "Tags Value": (256, r"[\w\s.:/=+@-]*"),
}
# Its text is in the dashboard, and names nothing.
TEXTS = {"AWS::CloudWatch::Dashboard DashboardBody"}
# CloudFormation API, CreateStack: StackName. A nested template's own name is made by CloudFormation, within this.
STACK_NAME = r"[a-zA-Z][-a-zA-Z0-9]{0,127}"
GIVEN = {"root": "AWS::StackName", "network": "AWS::StackName"}


def documents() -> dict[str, dict[str, Any]]:
    return {"root": dict(load_template(TEMPLATE)), **{name: nested(name).document for name in NAMES}}


def accepted(template: str, document: dict[str, Any]) -> str:
    """Return the pattern of the names that a deployment of this template accepts."""
    if template in GIVEN:
        return STACK_NAME
    return str(document["Parameters"]["Name"]["AllowedPattern"])


def samples(pattern: str) -> list[str]:
    """Return names that the pattern accepts, the longest first, and with each character at each place."""
    long = [text[:length] for text in ("a" * 300, "a-" * 150, "a--" * 100) for length in range(1, 300)]
    inside = [f"a{character}a" for character in ascii_letters + digits + punctuation]
    others = [*inside, *(text[:-1] for text in inside), *(text[1:] for text in inside), "a--a", "All"]
    fitting = [text for text in [*long, *others] if re.fullmatch(pattern, text)]
    return sorted(fitting, key=len, reverse=True)


def names(template: str, document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each text that is built from the name, with `{}` for it, and the property."""
    for body in document["Resources"].values():
        if body["Type"] == "AWS::CloudFormation::Stack":
            continue  # test_a_nested_stack_that_gets_the_name_declares_which_ones_it_takes
        yield from _built(body["Type"], "", body["Properties"], GIVEN.get(template, "Name"))
    for output in document.get("Outputs", {}).values():
        yield from _built("Export", "", output.get("Export", {}), GIVEN.get(template, "Name"))


def _built(kind: str, key: str, value: object, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        text = value.get("Fn::Sub")
        text = text[0] if isinstance(text, list) else text
        if value == {"Ref": name}:
            yield f"{kind} {key}", "{}"
        elif isinstance(text, str) and f"${{{name}}}" in text:
            yield f"{kind} {key}", re.sub(r"\$\{[^}]+\}", "x", text.replace(f"${{{name}}}", "{}"))
        for inner, item in value.items():
            yield from _built("Tags" if inner == "Tags" else kind, inner, item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _built(kind, key, item, name)


@pytest.mark.parametrize("template", ["root", *NAMES])
def test_every_name_that_is_accepted_fits_the_service(template: str) -> None:
    document = documents()[template]
    found = dict.fromkeys(names(template, document))
    for where, text in found:
        if where in TEXTS:
            continue
        most, form = LIMITS[where]
        for name in samples(accepted(template, document)):
            filled = text.replace("{}", name)
            assert len(filled) <= most, (where, filled)
            assert re.fullmatch(form, filled), (where, filled)


def test_every_limit_belongs_to_a_name() -> None:
    found = {where for template, document in documents().items() for where, _ in names(template, document)}

    assert found == {*LIMITS, *TEXTS}


def test_a_nested_stack_that_gets_the_name_declares_which_ones_it_takes() -> None:
    getting = {}
    for logical, body in documents()["root"]["Resources"].items():
        if body["Type"] == "AWS::CloudFormation::Stack":
            declared = nested(body["Properties"]["TemplateURL"].removeprefix("infra/").removesuffix(".yaml")).parameters
            for name, value in body["Properties"]["Parameters"].items():
                if value == {"Ref": "AWS::StackName"}:
                    getting[logical] = declared[name]

    assert {*getting} == {"Data", "Observability"}
    assert all({"AllowedPattern", "ConstraintDescription"} <= declared.keys() for declared in getting.values())


def test_a_longer_name_would_fail() -> None:
    """The patterns aren't narrower than needed: one letter more breaks a limit."""
    for template in ("observability", "edge"):
        document = documents()[template]
        longer = samples(accepted(template, document))[0] + "a"
        texts = [(where, text) for where, text in names(template, document) if where not in TEXTS]
        assert any(len(text.replace("{}", longer)) > LIMITS[where][0] for where, text in texts)
