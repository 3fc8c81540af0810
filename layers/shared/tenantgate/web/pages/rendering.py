"""The few pages that people see: server-rendered, escaped, without anything from elsewhere.

Every page brings a Content-Security-Policy with a nonce of its own: its one style sheet and, where there is one, its
one script are inline, and nothing else runs or loads. Jinja2 is imported when the first page is rendered.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import HTMLResponse

from tenantgate.context import current_request
from tenantgate.errors.base import TenantgateError
from tenantgate.web.accept import prefers_html
from tenantgate.web.headers import error_headers
from tenantgate.web.responses import told_detail

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"


def wants_html(request: Request) -> bool:
    """Whether the caller is a browser that would rather see a page than JSON."""
    return prefers_html(request.headers.get("accept"))


def page(
    template: str, *, status: int = 200, form_targets: Sequence[str] = ("'self'",), **context: object
) -> HTMLResponse:
    """Render `templates/<template>`; never cached.

    `form_targets`: sources of the policy's `form-action`. Browsers apply it to the redirects that follow a form, too:
    a form whose answer leads on to another origin must name that origin here.
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


def error_page(error: TenantgateError, request: Request) -> HTMLResponse:
    """The page of a failure: its code, its cause, a way to try again, and the request id to quote."""
    return failure_page(error, debug=request.app.settings.is_development)


def failure_page(error: TenantgateError, *, debug: bool) -> HTMLResponse:
    """The same without a request; `debug` (development alone) shows the private reason, redacted."""
    answer = page(
        "error.html",
        status=error.http_status,
        code=error.error.code,
        message=error.error.message,
        cause=error.error.cause.split("`"),
        detail=told_detail(error, debug=debug),
        is_ours=error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR,
    )
    for name, value in error_headers(error).items():
        answer.headers[name] = value
    return answer


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415  (for browsers alone)

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
