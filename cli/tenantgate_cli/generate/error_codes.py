"""`docs/ERROR_CODES.md`, from the registry."""

from __future__ import annotations

from http import HTTPStatus

from tenantgate_cli.checks.registry import registry

_HEAD = """\
# Error codes

Every error of every endpoint has one shape:

```json
{"error": {"code": "AUTH_003", "message": "The token has expired", "detail": null, "request_id": "…"}}
```

`code` is stable and made for programs; `message` is for people; `detail` is a string, an object, a list or null (for
validation, one entry per field; in development alone it may carry debug information); `request_id` is the one in the
`X-Request-ID` header and in every log line of the request. Our 401s carry `WWW-Authenticate: Bearer` (RFC 6750 §3).

On AWS, API Gateway words some answers by itself, before any function runs: `{"message":"Unauthorized"}` (401, no
credential, or the authorizer refused it), `{"message":"Forbidden"}` (403, the authorizer denied the principal) and
`{"message":"Internal Server Error"}` (500, the authorizer failed). The built-in provider's protocol endpoints answer as
RFC 6749 §5.2 and OpenID Connect require.

<!-- Written by `make docs` from the `errors` modules of layers/shared/tenantgate -->

| code | status | message |
|---|---|---|
"""


def error_codes_page() -> str:
    """The page's Markdown."""
    rows = [f"| [`{e.code}`](#{e.code.lower()}) | {e.status} | {e.message} |" for e in registry().values()]
    sections = [
        f"## {e.code}\n\n**{e.message}** ({e.status} {HTTPStatus(e.status).phrase})\n\n"
        f"- Cause: {e.cause}\n- Remedy: {e.remedy}"
        for e in registry().values()
    ]
    return _HEAD + "\n".join(rows) + "\n\n" + "\n\n".join(sections) + "\n"
