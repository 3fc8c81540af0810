"""The configuration that is checked: this shell's, or the running stack's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantgate_cli.console import Failure
from tenantgate_cli.doctor import configuration as module
from tenantgate_cli.doctor.configuration import configuration
from tenantgate_cli.stack.data_folder import DataFolder

STACK = {"ENVIRONMENT": "development", "DATABASE_URL": "postgresql://app:pw-of-the-stack@127.0.0.1:5433/tenantgate"}
OTHER = "postgresql://app:pw%20of-another@db.example.com/tenantgate"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    folder = DataFolder(tmp_path)
    with folder.held():
        folder.secrets()
        folder.publish_settings(STACK)
        yield tmp_path


def given(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    monkeypatch.setattr(module, "environment", lambda: variables)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        # As `. .local/dev.env` sets it.
        {"DATABASE_URL": STACK["DATABASE_URL"]},
        # A `.env` for `make dev` with another provider.
        {"OIDC_ISSUER_URL": "https://id.example.com", "OIDC_CLIENT_ID": "client"},
    ],
)
def test_the_running_stack_is_checked_unless_the_shell_names_another_database(
    variables: dict[str, str], running: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(monkeypatch, **variables)

    of = configuration(running)

    assert of.variables == STACK
    assert set(of.secrets) == {"OIDC_CLIENT_SECRET", "COOKIE_SEALING_KEYS", "KEY_ENCRYPTION_KEYS", "AUDIT_SIGNING_KEYS"}


def test_another_database_in_the_shell_is_checked_instead(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, DATABASE_URL=OTHER, OIDC_CLIENT_SECRET="client-secret")

    of = configuration(running)

    assert of.source == "the environment"
    assert {"pw%20of-another", "pw of-another", "client-secret"} <= set(of.hidden())


@pytest.mark.parametrize("name", ["OIDC_ISSUER_URL", "AWS_SECRETS_MANAGER_SECRET_ID", "DATABASE_URL"])
def test_without_a_stack_any_part_of_a_deployment_is_enough(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(monkeypatch, **{name: OTHER})

    assert configuration(tmp_path).source == "the environment"


def test_without_anything_there_is_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch)

    with pytest.raises(Failure) as failure:
        configuration(tmp_path)

    assert "make dev" in failure.value.remedy


def test_no_text_of_a_configuration_has_a_secret(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, DATABASE_URL=OTHER, OIDC_CLIENT_SECRET="client-secret")

    shown = repr(configuration(running))

    assert "client-secret" not in shown
    assert "pw%20of-another" not in shown
