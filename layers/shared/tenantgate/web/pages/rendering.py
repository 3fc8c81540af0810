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
from tenantgate.web.pages.details import details

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


def error_page(error: TenantgateError, *, debug: bool, path: str = "", allow: str | None = None) -> HTMLResponse:
    """Render an error: its cause, what to do, its code and details as rows, and the request id to quote.

    `path` is the request's, `allow` the `Allow` header of a 405. `debug`, only in development, also shows the private
    reason, redacted.
    """
    detail = details(error, debug=debug)
    response = page(
        "error.html",
        status=error.http_status,
        code=error.error.code,
        message=error.error.message,
        cause=error.error.cause.split("`"),
        detail=detail,
        remedy=(detail.remedy or error.error.remedy).split("`"),
        onward=_onward(error, path),
        is_server_error=error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR,
    )
    for name, value in error_headers(error, allow=allow).items():
        response.headers[name] = value
    return response


def _onward(error: TenantgateError, path: str) -> tuple[str, str, str]:
    """Return the id, the label and the target of the page's button."""
    if error.http_status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        return "start", "Go to the start page", "/"
    return "try-again", "Try again", "/" if path == "/" else "/api/v1/auth/login?return_to=/"


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
