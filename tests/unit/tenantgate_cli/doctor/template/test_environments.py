"""The variables of the functions: their size, and the settings that they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tenantgate_cli.doctor.template.egress import egress
from tenantgate_cli.doctor.template.environments import environment_sizes, settings, variables
from tests.fixtures.doctor.template import deployment

OTHER = [{"issuer": "https://other.example.com", "audiences": ["api"], "tenants": "*"}]


def test_the_shared_and_the_functions_own_variables_are_added_up(tmp_path: Path) -> None:
    found = variables(deployment(tmp_path), "HealthFunction")

    assert found["OIDC_CLIENT_ID"] == "my-client"
    assert found["DATABASE_URL"]
    assert "REDIS_URL" not in found


def test_a_value_that_only_the_deployment_knows_counts_as_a_long_one(tmp_path: Path) -> None:
    small = deployment(tmp_path, Preset="small")

    assert variables(small, "HealthFunction")["REDIS_URL"] is None
    assert environment_sizes(small).found.startswith("at most 4")


@pytest.mark.parametrize(("issuers", "status"), [(1, "ok"), (46, "warning"), (60, "failed")])
def test_the_size_is_compared_with_lambdas_limit(issuers: int, status: str, tmp_path: Path) -> None:
    text = json.dumps([{**OTHER[0], "issuer": f"https://{number}.example.com"} for number in range(issuers)])

    assert environment_sizes(deployment(tmp_path, TrustedIssuers=text)).status == status


def test_the_variables_are_settings_with_which_the_functions_start(tmp_path: Path) -> None:
    good = settings(deployment(tmp_path, TrustedIssuers=json.dumps(OTHER)))
    bad = settings(deployment(tmp_path, TrustedIssuers="[{}]"))

    assert (good.status, good.found) == ("ok", "ENVIRONMENT=production, 2 trusted issuer(s)")
    assert (bad.status, "TRUSTED_ISSUERS" in bad.found) == ("failed", True)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "skipped: the preset external"),
        ({"Preset": "small", "TrustedIssuers": "[{}]"}, "skipped: the settings are invalid"),
        # The name is reserved: no machine finds an address or metadata.
        ({"Preset": "small", "OidcIssuerUrl": "https://id.invalid"}, "warning: https://id.invalid: its endpoints"),
        ({"Preset": "small", "OidcIssuerUrl": "https://127.0.0.1:8443"}, "failed: https://127.0.0.1:8443: 127.0.0.1"),
        ({"Preset": "small", "Egress": "none"}, "failed: https://id.example.com: its keys"),
        (
            {"Preset": "small", "Egress": "none", "OidcJwksFile": "/opt/jwks.json"},
            "warning: https://id.example.com: its bundled keys",
        ),
    ],
)
def test_the_egress_reaches_every_issuer(changes: dict[str, Any], expected: str, tmp_path: Path) -> None:
    finding = egress(deployment(tmp_path, **changes))

    assert f"{finding.status}: {finding.found}".startswith(expected)
    assert bool(finding.fix) is (finding.status != "skipped")


def test_a_network_that_leads_everywhere_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenantgate_cli.doctor.template.egress.check_egress", lambda *_, **__: [])

    assert egress(deployment(tmp_path, Preset="small")).found == "nat reaches 1 issuer(s)"
