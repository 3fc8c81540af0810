"""Pages for people: rendered on the server, escaped, and without resources from other sites.

Every page has a Content-Security-Policy with a new nonce. Its style sheet and its script, if it has one, are inline.
Nothing else runs or loads. Jinja2 is imported when the first page is rendered.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse

from tenantgate.context import current_request
from tenantgate.errors.base import TenantgateError
from tenantgate.web.headers import error_headers
from tenantgate.web.responses import shown_detail

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"


def page(
    template: str, *, status: int = 200, form_targets: Sequence[str] = ("'self'",), **context: object
) -> HTMLResponse:
    """Render `templates/<template>`; never cached.

    `form_targets`: sources of the policy's `form-action`. Browsers also apply it to redirects after a form, so a form
    that ends at another origin must name that origin here.
    """
    nonce = secrets.token_urlsafe(16)
    html = _templates().get_template(template).render(nonce=nonce, request_id=current_request().request_id, **context)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; "
        f"img-src 'self' data:; form-action {' '.join(form_targets)}; frame-ancestors 'none'; base-uri 'none'"
    )
    return HTMLResponse(
        html, status_code=status, headers={"content-security-policy": policy, "cache-control": "no-store"}
    )


def error_page(error: TenantgateError, *, debug: bool) -> HTMLResponse:
    """Render an error: its code, its cause, a way to try again, and the request id to quote.

    `debug`, only in development, shows the private reason, redacted.
    """
    response = page(
        "error.html",
        status=error.http_status,
        code=error.error.code,
        message=error.error.message,
        cause=error.error.cause.split("`"),
        detail=shown_detail(error, debug=debug),
        is_server_error=error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR,
    )
    for name, value in error_headers(error).items():
        response.headers[name] = value
    return response


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415  (only for browsers)

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
