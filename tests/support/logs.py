"""Logging as a test found it: whoever configures it in a test must not leave that to the next one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tenantgate.context import RequestContext, begin_request
from tenantgate.observability.redaction import carry_secrets

_TOUCHED = ("", "tenantgate", "tenantgate_cli", "functions", "container", "migrations", "uvicorn", "uvicorn.error",
            "uvicorn.access")  # fmt: skip


@contextmanager
def logging_put_back() -> Iterator[None]:
    """Restore handlers, levels and hooks at the end, and begin and end without a request."""
    before = [(logger, logger.handlers[:], logger.level) for logger in map(logging.getLogger, _TOUCHED)]
    hook = threading.excepthook
    try:
        yield
    finally:
        for logger, handlers, level in before:
            logger.handlers[:] = handlers
            logger.setLevel(level)
        threading.excepthook = hook
        logging.captureWarnings(capture=False)
        begin_request(RequestContext())
        carry_secrets(None)
