"""The decision on one request of an HTTP API: payload format 2.0, simple responses.

What the integration allows to tell apart: a credential that is missing or refused is 401 (the exception with exactly
the text `Unauthorized`), a genuine token that may not pass is 403 (`isAuthorized: false`), and our own failure is 500
(any other exception). The words of those answers are API Gateway's; the log line under the request id has ours.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import TypedDict

from tenantgate.access.bearer import BearerCredential, bearer_token
from tenantgate.access.principal import Principal
from tenantgate.context import RequestContext, begin_request, choose_request_id, current_request
from tenantgate.errors import SYS_003, TenantgateError

_log = logging.getLogger(__name__)


class Answer(TypedDict):
    """A simple response; `context` reaches the backend as `requestContext.authorizer.lambda`."""

    isAuthorized: bool
    context: dict[str, str | int | bool]


class UnsupportedEvent(Exception):
    """The authorizer is attached to an integration whose events it doesn't take."""


class AuthorizerFailed(Exception):
    """No decision could be made; API Gateway answers 500."""


class Authorizer:
    """Decides one request after another."""

    def __init__(self, credential: BearerCredential) -> None:
        self._credential = credential

    def decide(self, event: Mapping[str, object]) -> Answer:
        """Answer a payload 2.0 REQUEST event; raises `Exception("Unauthorized")` for 401 and others for 500."""
        request_context = _mapping(event.get("requestContext"))
        headers = _mapping(event.get("headers"))
        gateway_id = _text(request_context.get("requestId"))
        request_id = choose_request_id(_text(headers.get("x-request-id")), gateway_request_id=gateway_id)
        request = RequestContext(request_id, gateway_id)
        begin_request(request)
        if event.get("version") != "2.0" or event.get("type") != "REQUEST":
            _log.error("unsupported authorizer event", extra={"context": {"version": _text(event.get("version"))}})
            raise UnsupportedEvent("expected an HTTP API authorizer event of payload format 2.0")
        try:
            principal = self._credential.principal(bearer_token(_text(headers.get("authorization"))))
        except TenantgateError as refusal:
            return self._refuse(refusal, event)
        except Exception:  # noqa: BLE001 - whatever it was, nobody passes, and the line is ours
            _log.exception(
                "no decision", extra={"context": {"error_code": SYS_003.code, "route": event.get("routeKey")}}
            )
            raise AuthorizerFailed(SYS_003.code) from None
        request.user_id, request.tenant_id = principal.user_id, principal.tenant_id
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("allowed", extra={"context": {"route": event.get("routeKey"), "issuer": principal.issuer}})
        return _allow(principal, request_id)

    def _refuse(self, refusal: TenantgateError, event: Mapping[str, object]) -> Answer:
        status = refusal.http_status
        context = {
            "error_code": refusal.error.code,
            "check": type(refusal).__name__,
            "reason": refusal.reason,
            "status": int(status),
            "route": event.get("routeKey"),
            **refusal.private,
        }
        if status is HTTPStatus.UNAUTHORIZED:
            _log.info("denied", extra={"context": context})
            # The text is API Gateway's contract: any other one would be a 500.
            raise Exception("Unauthorized") from None
        if status is HTTPStatus.FORBIDDEN:
            _log.info("denied", extra={"context": context})
            return {
                "isAuthorized": False,
                "context": {"request_id": current_request().request_id, "code": refusal.error.code},
            }
        _log.error("no decision", extra={"context": context | {"status": 500}})
        raise AuthorizerFailed(refusal.error.code) from None


def _allow(principal: Principal, request_id: str) -> Answer:
    context = principal.to_context()
    context["request_id"] = request_id
    return {"isAuthorized": True, "context": context}


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
