from collections.abc import Iterator

import pytest

from tests.support.logs import logging_put_back


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    with logging_put_back():
        yield
