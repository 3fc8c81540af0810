"""Parse queries and forms as OAuth requires: one value for each parameter, and the names of repeated ones."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request

from tenantgate.openid_provider.protocol.requests import Submitted
from tenantgate.web.forms import decoded_fields, form_fields


def submitted_query(request: Request) -> Submitted:
    """Parse the query."""
    return _submitted(decoded_fields(request.scope["query_string"]))


async def submitted_form(request: Request) -> Submitted:
    """Parse the body. Raises `MalformedBody`, and `UnsupportedMediaType` when it isn't a URL-encoded form."""
    return _submitted(await form_fields(request))


async def submitted(request: Request) -> Submitted:
    """Parse a request that may use GET or POST (OpenID Connect Core §3.1.2.1)."""
    return await submitted_form(request) if request.method == "POST" else submitted_query(request)


def _submitted(pairs: Sequence[tuple[str, str]]) -> Submitted:
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
