"""examples/cognito/template.yaml: MFA for everyone, a tenant that no user can write, and the trigger."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tenantgate_cli.build.scan import lint, scan
from tenantgate_cli.paths import ROOT
from tests.fixtures.template.deployed import require_uv

FOLDER = ROOT / "examples" / "cognito"
TEMPLATE = FOLDER / "template.yaml"


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as the text or list after them."""


def _short_form(loader: yaml.SafeLoader, _: str, node: yaml.Node) -> object:
    return loader.construct_sequence(node) if isinstance(node, yaml.SequenceNode) else node.value


_Loader.add_multi_constructor("!", _short_form)


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(TEMPLATE.read_text(encoding="utf-8"), _Loader)["Resources"]
    return found


def test_everyone_needs_an_authenticator_app(resources: dict[str, Any]) -> None:
    pool = resources["UserPool"]["Properties"]

    assert pool["MfaConfiguration"] == "ON"
    assert pool["EnabledMfas"] == ["SOFTWARE_TOKEN_MFA"]


def test_no_user_can_write_the_tenant(resources: dict[str, Any]) -> None:
    client = resources["Client"]["Properties"]

    assert [attribute["Name"] for attribute in resources["UserPool"]["Properties"]["Schema"]] == ["tenant_id"]
    assert client["WriteAttributes"]
    assert "custom:tenant_id" not in client["WriteAttributes"]
    assert "aws.cognito.signin.user.admin" not in client["AllowedOAuthScopes"]
    assert resources["UserPool"]["Properties"]["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}


def test_the_trigger_gets_the_event_that_can_change_access_tokens(resources: dict[str, Any]) -> None:
    trigger = resources["UserPool"]["Properties"]["LambdaConfig"]["PreTokenGenerationConfig"]
    function = resources["PreToken"]["Properties"]
    module, name = function["Handler"].split(".")

    assert trigger["LambdaVersion"] == "V2_0"
    assert f"def {name}(" in (FOLDER / function["CodeUri"] / f"{module}.py").read_text(encoding="utf-8")
    # Tokens that live longer are refused (JWT_MAX_LIFETIME_MINUTES).
    client = resources["Client"]["Properties"]
    assert (client["AccessTokenValidity"], client["TokenValidityUnits"]["AccessToken"]) == (60, "minutes")


def test_the_linter_and_the_scanner_find_nothing() -> None:
    require_uv()
    linted, scanned = lint(TEMPLATE), scan(TEMPLATE)

    assert linted.returncode == 0, linted.stdout
    assert scanned.returncode == 0, scanned.stdout
