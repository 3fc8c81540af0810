"""The outcome of one request to an API."""

from __future__ import annotations

from dataclasses import dataclass

from lambda_gateway.authorizers.results import Authorization
from lambda_gateway.model import Route
from lambda_gateway.responses.response import Response


@dataclass(frozen=True, slots=True)
class Outcome:
    """The response, the matched route and the authorizer's part, if any.

    `function` is the route's function if it was invoked, otherwise empty.
    """

    response: Response
    route: Route | None = None
    authorization: Authorization | None = None
    function: str = ""
