"""The client of AWS KMS."""

from __future__ import annotations

from functools import cache
from typing import Any

from tenantgate import time_limits


@cache
def kms_client(region: str) -> Any:
    """Return boto3's client, made once per process and region. Blocks while boto3 is imported.

    It makes up to two attempts, and gives each up after 1 s without a connection or without a response.
    """
    import boto3  # noqa: PLC0415  (200 ms at a cold start, and only needed where KMS is used)
    from botocore.config import Config  # noqa: PLC0415

    limits = Config(
        connect_timeout=time_limits.KMS_CONNECT,
        read_timeout=time_limits.KMS_READ,
        retries={"total_max_attempts": 2},
    )
    return boto3.client("kms", region_name=region, config=limits)
