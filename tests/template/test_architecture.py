"""Functions and layer have the architecture of the build, regardless of the parameters of the deployment."""

from pathlib import Path
from typing import get_args

import pytest

from tenantgate_cli.build import sam
from tenantgate_cli.build.sam import Architecture, build
from tenantgate_cli.paths import ROOT
from tests.fixtures.template.built import built_bundles
from tests.fixtures.template.deployed import Stack, deployed_stack, require_uv

ARCHITECTURES = get_args(Architecture.__value__)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def arch(request: pytest.FixtureRequest) -> Architecture:
    found: Architecture = request.param
    return found


@pytest.fixture(scope="module")
def built(arch: Architecture, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Build and translate the template of `make build ARCH=…`; code folders replace the uploaded bundles."""
    return deployed_stack(built_bundles(tmp_path_factory, arch) / "template.yaml")


def test_functions_and_layer_have_the_built_architecture(built: Stack, arch: Architecture) -> None:
    (layer,) = built.resources("AWS::Lambda::LayerVersion").values()

    assert built.functions
    assert {tuple(function["Architectures"]) for function in built.functions.values()} == {(arch,)}
    assert layer["Properties"]["CompatibleArchitectures"] == [arch]


def test_no_parameter_can_choose_another(built: Stack) -> None:
    interface = built.document["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = {name for group in interface["ParameterGroups"] for name in group["Parameters"]}

    assert "Architecture" not in {*built.document["Parameters"], *grouped, *interface["ParameterLabels"]}


def test_the_rest_of_the_template_is_unchanged(built: Stack, stack: Stack) -> None:
    def named(document: Stack) -> set[str]:
        # The layer's logical id ends with a hash of its properties.
        return {name[:11] if name.startswith("SharedLayer") else name for name in document.document["Resources"]}

    assert named(built) == named(stack)
    assert built.document["Outputs"].keys() == stack.document["Outputs"].keys()
    assert {*built.document["Parameters"], "Architecture"} == {*stack.document["Parameters"]}


def test_a_failed_build_changes_no_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_uv()
    written = (ROOT / "template.yaml").read_bytes()
    monkeypatch.setattr(sam, "_SAM", "aws-sam-cli==0.0.0")

    assert build("x86_64", tmp_path).returncode != 0
    assert (ROOT / "template.yaml").read_bytes() == written
