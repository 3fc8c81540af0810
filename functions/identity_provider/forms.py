"""Parse queries and forms as OAuth requires: one value for each parameter, and the names of repeated ones."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl

from starlette.requests import Request

from tenantgate.openid_provider.protocol.requests import Submitted
from tenantgate.web.errors import MalformedBody, UnsupportedMediaType

_FORM = "application/x-www-form-urlencoded"
_MOST_PARAMETERS = 50


def submitted_query(request: Request) -> Submitted:
    """Parse the query."""
    return _submitted(request.scope["query_string"])


async def submitted_form(request: Request) -> Submitted:
    """Parse the body. Raises `MalformedBody`, and `UnsupportedMediaType` when it isn't a URL-encoded form."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise UnsupportedMediaType(detail=f"send Content-Type: {_FORM}")
    return _submitted(await request.body())


async def submitted(request: Request) -> Submitted:
    """Parse a request that may use GET or POST (OpenID Connect Core §3.1.2.1)."""
    return await submitted_form(request) if request.method == "POST" else submitted_query(request)


def _submitted(encoded: bytes) -> Submitted:
    try:
        pairs = parse_qsl(
            encoded.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except ValueError:
        raise MalformedBody("parameters can't be decoded") from None
    return Submitted(_first_values(pairs), _repeated(pairs))


def _first_values(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in pairs:
        # A parameter without a value counts as omitted (RFC 6749 §3.1).
        if value:
            values.setdefault(name, value)
    return values


def _repeated(pairs: Sequence[tuple[str, str]]) -> frozenset[str]:
    names = [name for name, _ in pairs]
    return frozenset(name for name in names if names.count(name) > 1)
