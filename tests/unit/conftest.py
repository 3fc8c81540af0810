"""Unit tests have no database that could list revocations."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.revoked.nothing import nothing_is_revoked


@pytest.fixture(autouse=True)
def _nothing_is_revoked() -> Iterator[None]:
    with nothing_is_revoked():
        yield
