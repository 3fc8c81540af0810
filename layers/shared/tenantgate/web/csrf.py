"""The CSRF token of a session: a change by cookie proves with it that its page could read one of our responses.

The check of the origin comes first (`origins.py`). Neither relies on the other (OWASP "CSRF Prevention").
"""

from __future__ import annotations

from starlette.requests import Request

from tenantgate.crypto.comparison import same_text
from tenantgate.errors.access import CsrfTokenMissing, CsrfTokenWrong

CSRF_HEADER = "X-CSRF-Token"
# For the `openapi_extra=` of a route that makes changes.
CSRF_PARAMETER = {
    "name": CSRF_HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "The session's CSRF token. Required with the session cookie.",
}
# RFC 9110 §9.2.1
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def require_csrf_token(request: Request, expected: str) -> None:
    """Raise `CsrfTokenMissing` or `CsrfTokenWrong` unless `X-CSRF-Token` is the session's token, sent once."""
    sent = request.headers.getlist(CSRF_HEADER)
    if not sent:
        raise CsrfTokenMissing("the header X-CSRF-Token is missing")
    if len(sent) > 1 or not same_text(sent[0], expected):
        raise CsrfTokenWrong("X-CSRF-Token isn't the session's")
