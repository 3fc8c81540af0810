"""Each 503 says when to come back: clients that are shed must not repeat their requests at once."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

import pytest

import tenantgate
from tenantgate.errors.base import TenantgateError
from tenantgate.errors.tokens import Overloaded

PACKAGE = Path(tenantgate.__file__).parent


def errors_of(base: type[TenantgateError]) -> Iterable[type[TenantgateError]]:
    for found in base.__subclasses__():
        yield found
        yield from errors_of(found)


def unavailable() -> list[type[TenantgateError]]:
    for file in sorted(PACKAGE.rglob("errors.py")):
        import_module(".".join(("tenantgate", *file.relative_to(PACKAGE).with_suffix("").parts)))
    found = {each for each in errors_of(TenantgateError) if each.__module__.startswith("tenantgate.")}
    return sorted((each for each in found if _status(each) == 503), key=lambda each: each.__name__)


def _status(error: type[TenantgateError]) -> int | None:
    return error.error.status if hasattr(error, "error") else None


@pytest.mark.parametrize("error", unavailable())
def test_a_503_has_retry_after(error: type[TenantgateError]) -> None:
    # `Overloaded` requires it from its caller.
    assert error is Overloaded or error.retry_after is not None


def test_the_errors_are_found() -> None:
    assert {each.__name__ for each in unavailable()} >= {"CacheUnavailable", "DatabaseUnreachable", "Overloaded"}
