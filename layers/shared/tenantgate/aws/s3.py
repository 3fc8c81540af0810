"""The client of Amazon S3."""

from __future__ import annotations

from functools import cache
from typing import Any

from tenantgate import time_limits


@cache
def s3_client(region: str | None) -> Any:
    """Return boto3's client, made once per process and region. Blocks while boto3 is imported.

    It makes up to three attempts, and gives each up after 2 s without a connection or 10 s without a response.
    """
    import boto3  # noqa: PLC0415  (200 ms at a cold start, and only needed where S3 is used)
    from botocore.config import Config  # noqa: PLC0415

    limits = Config(
        connect_timeout=time_limits.S3_CONNECT, read_timeout=time_limits.S3_READ, retries={"total_max_attempts": 3}
    )
    return boto3.client("s3", region_name=region, config=limits)
