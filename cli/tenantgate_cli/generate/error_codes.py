"""Write `docs/ERROR_CODES.md` from the registry."""

from __future__ import annotations

from http import HTTPStatus

from tenantgate.errors.base import ErrorCode
from tenantgate_cli.checks.error_numbers import BLOCKS
from tenantgate_cli.checks.registry import errors, registry

_HEAD = """\
# Error codes

Every error of every endpoint has the same form:

```json
{"error": {"code": "AUTH_003", "message": "The token has expired", "detail": null, "request_id": "…"}}
```

`code` is stable and for programs; `message` is for people. `detail` is a string, an object, a list or null: for
validation errors it has one entry per field, and only in development it may contain debug information. `request_id` is
also in the `X-Request-ID` header and in every log line of the request. A 401 has the header `WWW-Authenticate: Bearer`
(RFC 6750 §3).

On AWS, API Gateway itself sends some responses before any function runs: `{"message":"Unauthorized"}` (401, there is no
credential, or the authorizer rejected it), `{"message":"Forbidden"}` (403, the authorizer denied the principal) and
`{"message":"Internal Server Error"}` (500, the authorizer failed). Errors of the built-in provider's protocol endpoints
have the form that RFC 6749 §5.2 and OpenID Connect require, and so have rejected requests to
`POST /api/v1/auth/backchannel-logout` (OpenID Connect Back-Channel Logout §2.8): 400 with
`{"error":"invalid_request","error_description":"…"}`. Rejected requests to `POST /api/v1/security-events` have the form
of RFC 8935 §2.3: 400 with `{"err":"…","description":"…"}`. The other statuses of both have our own form; with 500 or
more, the provider may send the token again.

<!-- Written by `make docs` from the `errors` modules of layers/shared/tenantgate -->

| code | status | message |
|---|---|---|
"""

_BLOCKS = """\
## Numbers

A package that defines errors has its own block of ten codes; `AUTH_001` to `AUTH_009`, `AUTH_021`, `SYS` and `VAL` are
assigned one by one. Some packages don't exist yet.

| codes | package |
|---|---|
"""


def error_codes_page() -> str:
    """Return the page in Markdown."""
    rows = [f"| [`{e.code}`](#{e.code.lower()}) | {e.status} | {e.message} |" for e in registry().values()]
    sections = [
        f"## {e.code}\n\n**{e.message}** ({e.status} {HTTPStatus(e.status).phrase})\n\n"
        f"- Cause: {e.cause}\n- Remedy: {e.remedy}{_variants(e)}"
        for e in registry().values()
    ]
    return _HEAD + "\n".join(rows) + "\n\n" + "\n\n".join([*sections, _blocks()]) + "\n"


def _variants(row: ErrorCode) -> str:
    """Return the other messages with this code, each with its cause and remedy."""
    others = {error.error.message: error.error for error in errors() if error.error.code == row.code}
    others.pop(row.message, None)
    return "".join(
        f"\n\n**{message}**\n\n- Cause: {other.cause}\n- Remedy: {other.remedy}"
        for message, other in sorted(others.items())
    )


def _blocks() -> str:
    rows = [f"| `{first}` to `{first[:-1]}9` | `{owner}` |" for first, owner in BLOCKS.items()]
    return _BLOCKS + "\n".join(rows)
