"""The AWS account, with moto's services, and without any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tenantgate_cli.doctor.template import account as module
from tenantgate_cli.doctor.template.account import account, quotas
from tests.fixtures.doctor.template import deployment, write_bundles

GB = 10**9


class Lambda:
    """The one call of Lambda that is made; moto has no quotas."""

    def __init__(self, concurrency: int, used: int) -> None:
        self._settings = {
            "AccountLimit": {"ConcurrentExecutions": concurrency, "TotalCodeSize": 75 * GB},
            "AccountUsage": {"TotalCodeSize": used},
        }

    def get_account_settings(self) -> dict[str, Any]:
        return self._settings


def test_the_account_and_the_region_are_named(aws: None, tmp_path: Path) -> None:
    finding = account(deployment(tmp_path))

    assert (finding.status, finding.found) == ("ok", "account 123456789012, region eu-central-1")


@pytest.mark.parametrize("check", [account, quotas])
def test_without_credentials_a_check_is_skipped_and_a_deployment_fails(
    check: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert callable(check)

    assert check(deployment(tmp_path)).status == "skipped"
    assert check(deployment(tmp_path, is_required=True)).status == "failed"


@pytest.mark.parametrize(
    ("numbers", "reserved", "status"),
    [
        ((1000, 5 * GB), "", "ok"),
        ((1000, 5 * GB), "900", "ok"),
        ((1000, 5 * GB), "901", "failed"),
        ((10, 5 * GB), "", "warning"),
        ((1000, 75 * GB), "", "failed"),
    ],
)
def test_the_quotas_leave_room_for_the_deployment(
    numbers: tuple[int, int], reserved: str, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "aws_client", lambda *_: Lambda(*numbers))
    write_bundles(tmp_path)

    assert quotas(deployment(tmp_path, built=True, AuthorizerConcurrency=reserved)).status == status
