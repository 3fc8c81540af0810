"""The Lambda authorizer's entry point. No web framework, no event loop, no AWS SDK: its cold start is its price."""

from __future__ import annotations

import logging

from tenantgate.cold_start import collector
from tenantgate.cold_start.late_typing import use_late_typing

# Before the other imports, which these two make faster.
collector.pause()
use_late_typing()

from typing import TYPE_CHECKING  # noqa: E402

from tenantgate.authorizer.environment import credentials, log_level, route_rules, service_name, trace_id  # noqa: E402
from tenantgate.authorizer.service import Authorizer  # noqa: E402

if TYPE_CHECKING:
    from typing import Protocol

    from tenantgate.authorizer.responses import Answer

    class LambdaContext(Protocol):
        @property
        def aws_request_id(self) -> str: ...


class LateLogging(logging.Handler):
    """Puts the JSON logging in place with the first line: an allowed request writes none, and needn't import it."""

    def __init__(self) -> None:
        super().__init__()
        self._invocation: tuple[str, str | None, bool] = ("", None, False)
        self._invocations = 0
        self._in_place = False

    def prepare(self) -> None:
        """Become the only handler, at the level of the environment."""
        root = logging.getLogger()
        # The runtime's own handler would print each line a second time, in another form.
        root.handlers[:] = [self]
        root.setLevel(logging.WARNING)
        for name in ("tenantgate", "functions"):
            logging.getLogger(name).setLevel(log_level())

    def begin(self, request_id: str, trace_id: str | None) -> None:
        """Name the invocation that the lines to come belong to."""
        self._invocation = (request_id, trace_id, self._invocations == 0)
        self._invocations += 1
        if self._in_place:
            self._name_invocation()

    def emit(self, record: logging.LogRecord) -> None:
        from tenantgate.observability.logging import configure_logging  # noqa: PLC0415

        configure_logging(level=log_level(), service=service_name())
        self._in_place = True
        self._name_invocation()
        logging.getLogger(record.name).handle(record)

    def _name_invocation(self) -> None:
        from tenantgate.observability.logging import begin_invocation  # noqa: PLC0415

        request_id, trace_id, cold_start = self._invocation
        if request_id:
            begin_invocation(request_id, trace_id=trace_id, cold_start=cold_start)


_logging = LateLogging()
_logging.prepare()
_authorizer = Authorizer(credentials(), route_rules(__file__.rpartition("/")[0] + "/rules.toml"))
collector.resume(enabled=True)


def lambda_handler(event: object, context: LambdaContext) -> Answer:
    """Answer an authorizer's event of any integration."""
    _logging.begin(context.aws_request_id, trace_id())
    return _authorizer.decide(event, function_request_id=context.aws_request_id)
