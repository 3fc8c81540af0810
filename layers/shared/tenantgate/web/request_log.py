"""Log the start and the end of every request, with or without a web framework. Standard library only."""

from __future__ import annotations

import logging
import time
from http import HTTPStatus

from tenantgate.context import RequestContext, begin_request, choose_request_id, end_request
from tenantgate.errors.base import InternalError, TenantgateError, Word
from tenantgate.observability.redaction import sanitize_query

_log = logging.getLogger("tenantgate.requests")


class RequestLog:
    """One request. Begins its context, and logs its start (DEBUG) and, in `completed`, its end (INFO)."""

    __slots__ = ("_gateway_id", "_method", "_path", "_started", "request_id")

    def __init__(
        self, *, method: str, path: str, query: str, offered_id: str | None, gateway_request_id: str | None
    ) -> None:
        """Begin the request. `offered_id`: the caller's `X-Request-ID`. `gateway_request_id`: API Gateway's."""
        self._started = time.perf_counter_ns()
        self._method = method
        self._path = path
        self._gateway_id = gateway_request_id
        self.request_id = choose_request_id(offered_id, gateway_request_id=gateway_request_id)
        begin_request(RequestContext(request_id=self.request_id, gateway_request_id=gateway_request_id))
        if _log.isEnabledFor(logging.DEBUG):
            context = {"method": method, "path": path, "query": sanitize_query(query) if query else ""}
            _log.debug("request started", extra={"context": context})

    def completed(self, status: int | None) -> None:
        """Log the end of the request. `status` None: no response was started."""
        end_request()
        if not _log.isEnabledFor(logging.INFO):
            return
        context: dict[str, object] = {
            "method": self._method,
            "path": self._path,
            "status": status,
            "duration_ms": round((time.perf_counter_ns() - self._started) / 1e6, 3),
        }
        if self._gateway_id is not None:
            context["gateway_request_id"] = Word(self._gateway_id)
        _log.info("request completed", extra={"context": context})


def log_failure(failure: TenantgateError) -> None:
    """Log a refused request at INFO, or a failure of the server at ERROR, and its security event if it has one."""
    context: dict[str, object] = {"error_code": failure.error.code, "kind": type(failure)}
    if failure.reason:
        # The exception itself: the log formatter finds the product's own words in it.
        context["reason"] = failure
    if failure.private:
        context["private"] = {Word(name): value for name, value in failure.private.items()}
    if failure.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        cause = failure.__cause__ if isinstance(failure, InternalError) else None
        _log.error("request failed", exc_info=cause or failure, extra={"context": context})
    else:
        _log.info("request refused", extra={"context": context})
    if failure.security_event is not None:
        from tenantgate.observability.security_events import log_refused_request  # noqa: PLC0415  (few requests)

        log_refused_request(failure)
    if failure.audited:
        from tenantgate.audit.denials import record_refused  # noqa: PLC0415  (few requests)

        record_refused(failure, presented=failure.presented)
