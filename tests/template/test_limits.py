"""The translated template against CloudFormation's and Lambda's quotas."""

from __future__ import annotations

import json

import pytest

from tenantgate_cli.paths import ROOT
from tests.fixtures.template.deployed import Stack
from tests.fixtures.template.nested import nested

MAX_RESOURCES = 500
MAX_PARAMETERS = 200
MAX_OUTPUTS = 200
MAX_BYTES = 1_000_000
# Half of the limit is left for the endpoints to come: each takes about 7 resources and 7 KB.
SHARE = 0.5


def test_the_template_leaves_room_below_cloudformations_limits(stack: Stack) -> None:
    assert len(stack.document["Resources"]) < MAX_RESOURCES * SHARE
    assert len(stack.document["Parameters"]) < MAX_PARAMETERS * SHARE
    assert len(stack.document["Outputs"]) < MAX_OUTPUTS * SHARE
    assert len(json.dumps(stack.document)) < MAX_BYTES * SHARE


def test_physical_names_are_left_to_cloudformation(stack: Stack) -> None:
    """A resource with a name of its own can't be replaced, and prevents a second stack."""
    named = {
        name: key
        for name, body in stack.document["Resources"].items()
        for key in ("RoleName", "FunctionName", "ManagedPolicyName", "AlarmName", "QueueName")
        if key in body.get("Properties", {}) and isinstance(body["Properties"][key], str)
    }

    assert not named


@pytest.mark.parametrize("name", ["network", "data", "jobs", "audit", "observability"])
def test_a_nested_stack_exists_and_gets_parameters_that_it_has(stack: Stack, name: str) -> None:

    (body,) = (
        body["Properties"]
        for body in stack.resources("AWS::CloudFormation::Stack").values()
        if body["Properties"]["TemplateURL"] == f"infra/{name}.yaml"
    )
    declared = nested(name).parameters
    assert {*body["Parameters"]} <= {*declared}
    assert {parameter for parameter, given in declared.items() if "Default" not in given} <= {*body["Parameters"]}
    assert (ROOT / body["TemplateURL"]).is_file()


def test_every_function_has_its_alarms(stack: Stack) -> None:
    given = stack.properties("Observability")["Parameters"]

    # The built-in provider is only for development.
    assert {name: value for name, value in given.items() if name.endswith("Function")} == {
        name: {"Ref": name} for name in stack.functions if name != "IdentityProviderFunction"
    }


def test_each_output_of_a_nested_stack_that_is_used_exists(stack: Stack) -> None:

    text = json.dumps(stack.document)
    for name in ("Network", "Data", "Jobs"):
        for used in {part.split('"')[0] for part in text.split(f'["{name}", "Outputs.')[1:]}:
            assert used in nested(name.lower()).outputs, f"{name}.{used}"
