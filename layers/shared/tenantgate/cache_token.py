"""Logins at ElastiCache without a password: a token that this process signs with its role's credentials.

The token is a presigned request (Signature Version 4, query parameters) that is sent as a password, never over HTTP. It
opens connections for 15 minutes; ElastiCache closes each connection after 12 hours at the latest. So every new
connection gets a new token.

Without boto3: the authorizer logs in during a cold start.

https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenantgate.cache_url import CacheUrl

# Key id, secret key, and the session token or an empty text.
type AwsCredentials = tuple[str, str, str]

SECONDS = 900
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class CredentialsMissing(OSError):
    """This process has no credentials of a role, so that it can't sign."""


def credentials_in(environ: Mapping[str, str]) -> AwsCredentials | None:
    """Return the credentials that Lambda puts into a function's environment; None without them."""
    key_id, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    return (key_id, secret, environ.get("AWS_SESSION_TOKEN", "")) if key_id and secret else None


def cache_token(url: CacheUrl, credentials: AwsCredentials | None, *, now: float | None = None) -> str:
    """Sign a token for the user and the cache of `url`, valid from `now` (epoch seconds) for 15 minutes.

    Raises `CredentialsMissing`.
    """
    if credentials is None:
        raise CredentialsMissing("no credentials to sign a token with")
    import hmac  # noqa: PLC0415  (only where a cache takes tokens)
    from hashlib import sha256  # noqa: PLC0415

    key_id, secret, session_token = credentials
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    scope = f"{moment[:8]}/{url.region}/elasticache/aws4_request"
    parameters = {
        "Action": "connect",
        # Serverless caches and clusters of nodes are different resources of the permission.
        **({"ResourceType": "ServerlessCache"} if ".serverless." in url.host else {}),
        "User": url.user,
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{key_id}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(SECONDS),
        **({"X-Amz-Security-Token": session_token} if session_token else {}),
        "X-Amz-SignedHeaders": "host",
    }
    # In the order of the names, as the signature requires.
    query = "&".join(f"{name}={_encoded(value)}" for name, value in parameters.items())
    request = f"GET\n/\n{query}\nhost:{url.iam_cache}\n\nhost\n{sha256(b'').hexdigest()}"
    signed = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{sha256(request.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return f"{url.iam_cache}/?{query}&X-Amz-Signature={hmac.digest(key, signed.encode(), 'sha256').hex()}"


def _encoded(text: str) -> str:
    """Percent-encode all but RFC 3986's unreserved characters, with upper-case digits."""
    if _UNRESERVED.issuperset(text):
        return text
    return "".join(chr(octet) if chr(octet) in _UNRESERVED else f"%{octet:02X}" for octet in text.encode())
