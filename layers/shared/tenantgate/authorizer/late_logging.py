"""JSON logging that is imported with the first line: an allowed request logs nothing."""

from __future__ import annotations

import logging

from tenantgate.authorizer.environment import log_level, service_name


class LateLogging(logging.Handler):
    """Replaces itself with the JSON handler when the first line is logged."""

    def __init__(self) -> None:
        super().__init__()
        self._invocation: tuple[str, str | None, bool] = ("", None, False)
        self._invocations = 0
        self._configured = False

    def install(self) -> None:
        """Become the only handler, at the environment's level."""
        root = logging.getLogger()
        # The runtime's own handler would print each line a second time, in another form.
        root.handlers[:] = [self]
        root.setLevel(logging.WARNING)
        for name in ("tenantgate", "functions"):
            logging.getLogger(name).setLevel(log_level())

    def begin(self, request_id: str, trace_id: str | None) -> None:
        """Set the invocation that the following lines name."""
        self._invocation = (request_id, trace_id, self._invocations == 0)
        self._invocations += 1
        if self._configured:
            self._name_invocation()

    def emit(self, record: logging.LogRecord) -> None:
        from tenantgate.observability.logging import configure_logging  # noqa: PLC0415

        configure_logging(level=log_level(), service=service_name())
        self._configured = True
        self._name_invocation()
        logging.getLogger(record.name).handle(record)

    def _name_invocation(self) -> None:
        from tenantgate.observability.logging import begin_invocation  # noqa: PLC0415

        request_id, trace_id, cold_start = self._invocation
        if request_id:
            begin_invocation(request_id, trace_id=trace_id, cold_start=cold_start)
