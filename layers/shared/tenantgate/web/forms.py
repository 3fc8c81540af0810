"""Forms and queries, as lists of names and values."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import Request

from tenantgate.web.errors import MalformedBody, UnsupportedMediaType

FORM = "application/x-www-form-urlencoded"
_MOST_PARAMETERS = 50


async def form_fields(request: Request) -> list[tuple[str, str]]:
    """Parse the body. Raises `MalformedBody`, and `UnsupportedMediaType` if it isn't a URL-encoded form."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise UnsupportedMediaType(detail=f"send Content-Type: {FORM}")
    return decoded_fields(await request.body())


def decoded_fields(encoded: bytes) -> list[tuple[str, str]]:
    """Parse a form or query. Raises `MalformedBody` if it can't be decoded or has more than 50 parameters."""
    try:
        return parse_qsl(
            encoded.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except ValueError:
        raise MalformedBody("parameters can't be decoded") from None
