"""The client of Secrets Manager: one per process and region, and quick to give up."""

from collections.abc import Iterator

import pytest

from tenantgate.aws.secrets_manager import secrets_client


@pytest.fixture(autouse=True)
def _no_client_kept() -> Iterator[None]:
    secrets_client.cache_clear()
    yield
    secrets_client.cache_clear()


def test_a_process_has_one_client() -> None:
    assert secrets_client("eu-central-1") is secrets_client("eu-central-1")


def test_a_call_makes_one_attempt_within_seconds() -> None:
    """The store makes the attempts; the client's own would multiply them."""
    config = secrets_client("eu-central-1").meta.config
    assert (config.connect_timeout, config.read_timeout) == (1, 2)
    assert config.retries["total_max_attempts"] == 1
    assert config.region_name == "eu-central-1"
