"""Logging as the authorizer's function configures it."""

import pytest

from tenantgate.observability.logging import configure_logging


@pytest.fixture
def json_log() -> None:
    """Write log lines as JSON to standard output, from INFO on."""
    configure_logging(level="INFO", service="authorizer")
