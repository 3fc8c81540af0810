"""IAM database authentication: a token signed with the role's credentials replaces the password on RDS and RDS Proxy.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

# Endpoints of instances, clusters and proxies: `name.id.region.rds.amazonaws.com`, in China `….com.cn`. A token is
# signed for this name, so a login by an alias of it fails.
_ENDPOINT = re.compile(r"[a-z0-9.-]+\.(?P<region>[a-z]{2,4}(?:-[a-z]+)+-\d)\.rds\.amazonaws\.com(?:\.cn)?\Z")


class TokenUnavailable(OSError):
    """No token could be signed, for example because credentials are missing. The text names boto3's error."""


def rds_region(host: str | None) -> str | None:
    """Return the region of an RDS endpoint; None for any other host."""
    found = _ENDPOINT.match(host.lower()) if host else None
    return found["region"] if found else None


def database_token(host: str, port: int, user: str, *, region: str) -> str:
    """Sign a token that opens connections for 15 minutes. Raises `TokenUnavailable`."""
    try:
        token: str = signer(region).generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user)
    except Exception as error:
        raise TokenUnavailable(f"no IAM token for the database: {type(error).__name__}") from error
    return token


@cache
def signer(region: str) -> Any:
    """Return boto3's client, made once per process. Blocks while boto3 is imported. Signing makes no network call."""
    import boto3  # noqa: PLC0415  (200 ms at a cold start, and only needed where a database takes tokens)

    return boto3.Session(region_name=region).client("rds")
