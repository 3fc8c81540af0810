"""Callbacks through which the gateway reports its work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lambda_gateway.authorizers.results import Authorization
from lambda_gateway.responses.response import MalformedResponse
from lambda_gateway.runtime.failures import FunctionError


@dataclass(frozen=True, slots=True)
class Handled:
    """One completed request, or a part of a WebSocket connection.

    method         CONNECT, MESSAGE and CLOSE for a WebSocket connection
    status         of CLOSE the code with which the connection was closed
    route_key      the matched route's, empty without one
    function       the route's function if it was invoked, otherwise empty: the response is the gateway's own
    api            the name of the API
    api_id         its id in ARNs
    trace_id       the id that all functions of the request get
    authorization  the authorizer's part, None if the route has no authorizer or wasn't found
    note           what a developer should know about a request that succeeded
    """

    method: str
    path: str
    status: int
    seconds: float
    request_id: str
    route_key: str = ""
    function: str = ""
    api: str = ""
    trace_id: str = ""
    authorization: Authorization | None = None
    api_id: str = ""
    note: str = ""


@dataclass(slots=True)
class Observer:
    """The callbacks.

    handled  called after each request
    failed   called with the function's name and its failure
    output   called with the function's name and each line that it writes
    started  called with the function's name and the seconds that its process took to start
    """

    handled: Callable[[Handled], None] = lambda _handled: None
    failed: Callable[[str, FunctionError | MalformedResponse], None] = lambda _name, _error: None
    output: Callable[[str, str], None] = lambda _name, _line: None
    started: Callable[[str, float], None] = lambda _name, _seconds: None
