"""The functions behind an API, invoked within API Gateway's limits. Failures are reported to the observer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from lambda_gateway.authorizers.gate import AuthorizerGate
from lambda_gateway.authorizers.jwt_gate import JwtGate
from lambda_gateway.aws import MAX_LAMBDA_PAYLOAD
from lambda_gateway.model import Api, Kind, Route
from lambda_gateway.observer import Observer
from lambda_gateway.responses.response import MalformedResponse, Response
from lambda_gateway.runtime.failures import FunctionError
from lambda_gateway.runtime.functions import Functions

# Seconds for which an HTTP API waits for an authorizer (service quotas). For the other kinds no limit is documented, so
# the longest that API Gateway waits for any integration applies.
AUTHORIZER_TIMEOUT = {Kind.HTTP: 10.0, Kind.REST: 29.0, Kind.WEBSOCKET: 29.0}


type Gate = AuthorizerGate | JwtGate


class IntegrationTimeout(Exception):
    """The function didn't respond within the integration's timeout."""


class IntegrationFailed(Exception):
    """The function failed, or its response is malformed."""


class Backend:
    def __init__(self, functions: Functions, observer: Observer) -> None:
        self._functions = functions
        self._observer = observer

    def gates(self, api: Api) -> dict[str, Gate]:
        """Return the API's authorizers by name."""
        authorize = partial(self._authorize, limit=AUTHORIZER_TIMEOUT[api.kind])
        gates: dict[str, Gate] = {
            name: AuthorizerGate(api, authorizer, authorize, on_invalid=self._observer.failed)
            for name, authorizer in api.authorizers.items()
        }
        return gates | {name: JwtGate(api, authorizer) for name, authorizer in api.jwt_authorizers.items()}

    async def integrate(
        self, route: Route, payload: bytes, trace_id: str, read: Callable[[bytes], Response]
    ) -> Response:
        """Invoke a route's function and convert its response with `read`.

        Raises IntegrationTimeout or IntegrationFailed.
        """
        try:
            response = await self._functions.invoke(route.function, payload, trace_id, route.timeout)
            if len(response) > MAX_LAMBDA_PAYLOAD:
                raise MalformedResponse(f"the response is longer than Lambda's limit of {MAX_LAMBDA_PAYLOAD} bytes")
            return read(response)
        except TimeoutError:
            late = _late(route.timeout)
            self._observer.failed(route.function, late)
            raise IntegrationTimeout from late
        except (FunctionError, MalformedResponse) as error:
            self._observer.failed(route.function, error)
            raise IntegrationFailed from error

    async def _authorize(self, function: str, payload: bytes, trace_id: str, *, limit: float) -> bytes:
        try:
            return await self._functions.invoke(function, payload, trace_id, limit)
        except TimeoutError:
            self._observer.failed(function, _late(limit))
            raise
        except FunctionError as error:
            # A rejected credential isn't a failure of the function.
            if error.message != "Unauthorized":
                self._observer.failed(function, error)
            raise


def _late(seconds: float) -> FunctionError:
    return FunctionError("Timeout", f"no response within {seconds:g} s, API Gateway's limit")
