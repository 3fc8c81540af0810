"""The client of S3: one per process and region, whose calls end within a bound."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tenantgate.aws.s3 import s3_client


@pytest.fixture(autouse=True)
def _no_client_kept() -> Iterator[None]:
    s3_client.cache_clear()
    yield
    s3_client.cache_clear()


def test_a_process_has_one_client_in_each_region() -> None:
    assert s3_client("eu-central-1") is s3_client("eu-central-1")
    assert s3_client("us-east-1").meta.region_name == "us-east-1"


def test_a_call_makes_three_attempts_of_bounded_time() -> None:
    config = s3_client("eu-central-1").meta.config
    assert (config.connect_timeout, config.read_timeout) == (2, 10)
    assert config.retries["total_max_attempts"] == 3
