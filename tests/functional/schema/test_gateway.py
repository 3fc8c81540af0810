"""Thousands of generated requests to every route of the gateway: see docs/schema/README.md."""

import pytest

from tests.functional.schema.short import assert_as_documented


@pytest.mark.unmeasured
@pytest.mark.timeout(900)
def test_every_response_of_the_gateway_is_as_documented() -> None:
    assert_as_documented("gateway")
