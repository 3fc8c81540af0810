"""One line for each request, in the terminal and in the gateway's own log file.

The reason of a denial is in the output of the authorizer or of the route's function. Output and response arrive at
nearly the same time, so the line of a denied request waits a moment for it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lambda_gateway.observer import Handled
from tenantgate.observability.redaction import redact_text
from tenantgate_cli.denials.decision_lines import DecisionLine, OwnError, read_decision, read_own_error, root_of
from tenantgate_cli.stack.request_words import explanation

# No function of a template can have this name: logical ids have no hyphen.
GATEWAY = "api-gateway"
# Seconds that the line of a denied request waits for the authorizer's line.
PATIENCE = 0.5
# Of a function that responded with an error: it may have no line, and most lines come before the response.
PATIENCE_FOR_FUNCTIONS = 0.05
_ERROR = 400
# As many as the gateway caches.
_MOST_ORIGINS = 10_000


@dataclass(slots=True)
class _Origin:
    """A request with the lines of one function. A cached result refers to the request for which the authorizer ran."""

    method: str = ""
    path: str = ""
    decision: DecisionLine | None = None
    error: OwnError | None = None


class RequestLines:
    """Explains requests by the output of their authorizer.

    show   called with a request and its words
    log    called with GATEWAY and the request's line of JSON
    """

    def __init__(self, show: Callable[[Handled, str], None], log: Callable[[str, str], None]) -> None:
        self._show = show
        self._log = log
        self._origins: OrderedDict[tuple[str, str], _Origin] = OrderedDict()
        self._waiting: dict[tuple[str, str], tuple[Handled, asyncio.TimerHandle]] = {}

    def output(self, function: str, line: str) -> None:
        """Read a line that a function wrote."""
        decision, error = read_decision(line), read_own_error(line)
        found = decision or error
        if found is None:
            return
        key = function, found.trace_id
        origin = self._origin(key)
        origin.decision, origin.error = decision or origin.decision, error or origin.error
        waiting = self._waiting.pop(key, None)
        if waiting is not None:
            handled, timer = waiting
            timer.cancel()
            self._explain(handled)

    def handled(self, handled: Handled) -> None:
        """Print the request's line, at once or when its reason is known."""
        seen = handled.authorization
        root = root_of(handled.trace_id)
        if seen is not None and seen.ran:
            origin = self._origin((seen.function, root))
            origin.method, origin.path = handled.method, handled.path
            if seen.denied is not None and origin.decision is None:
                self._wait((seen.function, root), handled, PATIENCE)
                return
        if handled.function and handled.status >= _ERROR and self._error_of(handled) is None:
            self._wait((handled.function, root), handled, PATIENCE_FOR_FUNCTIONS)
            return
        self._explain(handled)

    def _wait(self, key: tuple[str, str], handled: Handled, seconds: float) -> None:
        self._waiting[key] = handled, asyncio.get_running_loop().call_later(seconds, self._give_up, key)

    def flush(self) -> None:
        """Print the lines that still wait."""
        for key in list(self._waiting):
            self._waiting[key][1].cancel()
            self._give_up(key)

    def _give_up(self, key: tuple[str, str]) -> None:
        handled, _ = self._waiting.pop(key)
        self._explain(handled)

    def _origin(self, key: tuple[str, str]) -> _Origin:
        origin = self._origins.get(key)
        if origin is None:
            origin = self._origins[key] = _Origin()
            if len(self._origins) > _MOST_ORIGINS:
                self._origins.popitem(last=False)
        return origin

    def _explain(self, handled: Handled) -> None:
        decision = self._decision_on(handled)
        words = explanation(handled, decision, self._error_of(handled))
        self._log(GATEWAY, gateway_line(handled, words, decision.reason if decision is not None else None))
        self._show(handled, words)

    def _error_of(self, handled: Handled) -> OwnError | None:
        origin = self._origins.get((handled.function, root_of(handled.trace_id)))
        return origin.error if origin is not None else None

    def _decision_on(self, handled: Handled) -> DecisionLine | None:
        seen = handled.authorization
        origin = self._origins.get((seen.function, root_of(seen.trace_id))) if seen is not None else None
        if seen is None or origin is None:
            return None
        # A policy may deny this request for a reason other than that of the request it was made for.
        if seen.by_policy and (origin.method, origin.path) != (handled.method, handled.path):
            return None
        return origin.decision


def gateway_line(handled: Handled, words: str, reason: str | None = None, now: float | None = None) -> str:
    """Return the line of the gateway's log file, in the form of the product's own log lines.

    `reason` is the code of the denial, if it is known. `now` is in epoch seconds.
    """
    at = time.time() if now is None else now
    context: dict[str, object] = {
        "method": handled.method,
        "path": redact_text(handled.path),
        "api": handled.api_id,
        "route": handled.route_key or None,
        "function": handled.function or None,
        "status": handled.status,
        "duration_ms": round(handled.seconds * 1000),
        **_authorizer(handled, reason),
    }
    line: Mapping[str, object] = {
        "timestamp": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at))}.{int(at % 1 * 1000):03d}Z",
        "level": "INFO",
        "logger": "lambda_gateway",
        "message": redact_text(f"{handled.status} {words}".rstrip()),
        "service": GATEWAY,
        "request_id": handled.request_id,
        "trace_id": root_of(handled.trace_id),
        "context": context,
    }
    return json.dumps(line, separators=(",", ":"))


def _authorizer(handled: Handled, reason: str | None) -> dict[str, object]:
    seen = handled.authorization
    if seen is None:
        return {}
    if seen.jwt:
        return {"authorizer": seen.jwt, "authorizer_result": "jwt", "denied": seen.denied is not None, "reason": reason}
    how = "not called" if seen.missing is not None else "called" if seen.ran else "cached"
    more = {} if seen.seconds_left is None else {"seconds_left": int(seen.seconds_left)}
    facts = {"authorizer": seen.function, "authorizer_result": how, "decided_in": root_of(seen.trace_id)}
    return {**facts, "denied": seen.denied is not None, "reason": reason, **more}
