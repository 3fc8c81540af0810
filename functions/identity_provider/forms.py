"""Queries and forms as OAuth reads them: each parameter once, and what came more than once is remembered."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl

from starlette.requests import Request

from tenantgate.openid_provider.protocol.requests import Submitted
from tenantgate.web.errors import MalformedBody, UnsupportedMediaType

_FORM = "application/x-www-form-urlencoded"
_MOST_PARAMETERS = 50


def submitted_query(request: Request) -> Submitted:
    """The query's parameters."""
    return _submitted(request.scope["query_string"])


async def submitted_form(request: Request) -> Submitted:
    """The body's parameters; raises `UnsupportedMediaType` for any body but an urlencoded form."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise UnsupportedMediaType(detail=f"send Content-Type: {_FORM}")
    return _submitted(await request.body())


async def submitted(request: Request) -> Submitted:
    """The parameters of a request that may come as GET or as POST (OpenID Connect Core §3.1.2.1)."""
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
        # A parameter without a value counts as left out (RFC 6749 §3.1).
        if value:
            values.setdefault(name, value)
    return values


def _repeated(pairs: Sequence[tuple[str, str]]) -> frozenset[str]:
    names = [name for name, _ in pairs]
    return frozenset(name for name in names if names.count(name) > 1)
