"""The words after the status in a request's line, from the gateway's facts and the authorizer's log line."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lambda_gateway.authorizers.results import Authorization, MissingIdentity, Reason
from lambda_gateway.observer import Handled
from tenantgate_cli.denials.decision_lines import DecisionLine, OwnError

_WITHOUT_LINE: Mapping[Reason, str] = {
    Reason.FAILED: "the authorizer failed",
    Reason.INVALID_RESULT: "the authorizer's result is invalid",
}


def explanation(handled: Handled, decision: DecisionLine | None, error: OwnError | None = None) -> str:
    """Return the words that follow the status in the request's line; empty if there is nothing to explain.

    `decision` is that of the request for which the authorizer ran, None if it is unknown or doesn't apply. `error` is
    the one that the route's function logged.
    """
    seen = handled.authorization
    if seen is None or seen.denied is None:
        if error is not None:
            return error.brief
        unrouted = handled.status in (403, 404) and not handled.route_key
        # A WebSocket API has one path, its stage.
        thing = "stage" if handled.method == "CONNECT" else "route"
        return f"no such {thing} in {handled.api_id}" if unrouted else handled.note
    if seen.jwt or seen.missing is not None:
        return _own_denial(seen)
    brief = decision.brief if decision is not None else ""
    if seen.seconds_left is not None:
        words = f"from the authorizer's cache, {math.ceil(seen.seconds_left)} s left"
        return f"{words}: {brief}" if brief else words
    if decision is not None:
        return f"{decision.message}: {brief}"
    return _WITHOUT_LINE.get(seen.denied, f"denied by {seen.function}")


def _own_denial(seen: Authorization) -> str:
    """Return the words for a request that the gateway itself denied."""
    problem = _missing(seen.missing) if seen.missing is not None else seen.problem
    if seen.jwt:
        return f"from the JWT authorizer {seen.jwt}: {problem}"
    return f"from the gateway: {problem}, so the authorizer didn't run"


def _missing(missing: MissingIdentity) -> str:
    name = missing.source.removeprefix("$").removeprefix("method.").removeprefix("route.")
    kinds = {"request.header.": "the {} header", "request.querystring.": "the query parameter {}"}
    thing = next(
        (words.format(name.removeprefix(kind)) for kind, words in kinds.items() if name.startswith(kind)),
        f"the value of {missing.source}",
    )
    if missing.mismatched:
        return f"{thing} doesn't match the authorizer's validation expression"
    return f"{thing} is missing"
