"""The client of AWS Secrets Manager."""

from __future__ import annotations

from functools import cache
from typing import Any

from tenantgate import time_limits

CONNECT_SECONDS = time_limits.SECRETS_CONNECT
READ_SECONDS = time_limits.SECRETS_READ


@cache
def secrets_client(region: str | None) -> Any:
    """Return boto3's client, made once per process. Blocks while boto3 is imported.

    It makes one attempt per call and gives up after 1 s without a connection or 2 s without a response: the caller
    decides about further attempts.
    """
    import boto3  # noqa: PLC0415  (200 ms at a cold start, and only needed where Secrets Manager is read)
    from botocore.config import Config  # noqa: PLC0415

    limits = Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": 1})
    return boto3.client("secretsmanager", region_name=region, config=limits)
