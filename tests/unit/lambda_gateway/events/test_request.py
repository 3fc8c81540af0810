"""Requests."""

from lambda_gateway.events.request import new_request_id


def test_request_ids_have_api_gateways_form() -> None:
    made = new_request_id()
    assert len(made) == 16
    assert made[:-1].isalnum()
    assert made.endswith("=")
    assert new_request_id() != made
