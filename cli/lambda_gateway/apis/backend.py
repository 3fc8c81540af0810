"""What stands behind an API: its functions, invoked within API Gateway's limits; what goes wrong is told."""

from __future__ import annotations

from collections.abc import Callable

from lambda_gateway.authorizers.gate import AUTHORIZER_TIMEOUT
from lambda_gateway.model import Route
from lambda_gateway.responses.http_api import MalformedAnswer, Response
from lambda_gateway.runtime.failures import FunctionError
from lambda_gateway.runtime.functions import MAX_LAMBDA_PAYLOAD, Functions, Observer


class AnswerLate(Exception):
    """The function didn't answer within the integration's time-out."""


class AnswerFailed(Exception):
    """The function failed, or answered what can't be turned into a response."""


class Backend:
    def __init__(self, functions: Functions, observer: Observer) -> None:
        self._functions = functions
        self._observer = observer

    async def integrate(
        self, route: Route, payload: bytes, trace_id: str, read: Callable[[bytes], Response]
    ) -> Response:
        """Invoke a route's function; `read` turns its answer into a response. Raises AnswerLate or AnswerFailed."""
        try:
            answer = await self._functions.invoke(route.function, payload, trace_id, route.timeout)
            if len(answer) > MAX_LAMBDA_PAYLOAD:
                raise MalformedAnswer(f"the answer is longer than Lambda's limit of {MAX_LAMBDA_PAYLOAD} bytes")
            return read(answer)
        except TimeoutError:
            late = FunctionError("Timeout", f"no answer within {route.timeout:g} s, API Gateway's limit")
            self._observer.failed(route.function, late)
            raise AnswerLate from late
        except (FunctionError, MalformedAnswer) as error:
            self._observer.failed(route.function, error)
            raise AnswerFailed from error

    async def authorize(self, function: str, payload: bytes, trace_id: str) -> bytes:
        """Invoke an authorizer's function. Raises FunctionError or TimeoutError."""
        try:
            return await self._functions.invoke(function, payload, trace_id, AUTHORIZER_TIMEOUT)
        except TimeoutError:
            self._observer.failed(
                function, FunctionError("Timeout", f"no answer within {AUTHORIZER_TIMEOUT:g} s, API Gateway's limit")
            )
            raise
        except FunctionError as error:
            # A refusal is no failure.
            if error.message != "Unauthorized":
                self._observer.failed(function, error)
            raise

    def complain(self, function: str, problem: MalformedAnswer) -> None:
        self._observer.failed(function, problem)
