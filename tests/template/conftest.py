import pytest

from tests.support.stack import Stack, deployed_stack


@pytest.fixture(scope="session")
def stack() -> Stack:
    return deployed_stack()
