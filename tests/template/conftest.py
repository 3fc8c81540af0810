import pytest

from tests.fixtures.template.deployed import Stack, deployed_stack


@pytest.fixture(scope="session")
def stack() -> Stack:
    return deployed_stack()
