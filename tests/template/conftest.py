import pytest

from tests.support.deployed_template import Stack, deployed_stack


@pytest.fixture(scope="session")
def stack() -> Stack:
    return deployed_stack()
