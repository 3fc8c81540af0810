"""Deliveries of CloudWatch Logs, and events that only look like one."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode

import pytest

from functions.audit_ingest import delivery
from functions.audit_ingest.delivery import NoDelivery, delivered_lines


def packed(content: object) -> dict[str, object]:
    return {"awslogs": {"data": b64encode(gzip.compress(json.dumps(content).encode())).decode()}}


def data(*messages: object) -> dict[str, object]:
    events = [{"id": "1", "timestamp": 1, "message": message} for message in messages]
    return {"messageType": "DATA_MESSAGE", "logGroup": "/tenantgate/x/functions", "logEvents": events}


def test_the_lines_of_a_delivery_are_its_messages() -> None:
    assert delivered_lines(packed(data("one", "zwei ü\n"))) == ["one", "zwei ü\n"]


def test_the_test_of_a_destination_has_no_lines() -> None:
    assert (
        delivered_lines(packed(data("CWL CONTROL MESSAGE: Checking health") | {"messageType": "CONTROL_MESSAGE"})) == ()
    )


def test_a_line_without_a_text_is_empty() -> None:
    content = data(None, 1, {"a": 1})
    content["logEvents"] = [*content["logEvents"], "x", None]  # type: ignore[misc]
    assert delivered_lines(packed(content)) == [""] * 5


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(None, id="none"),
        pytest.param({}, id="empty"),
        pytest.param({"awslogs": []}, id="no-object"),
        pytest.param({"awslogs": {"data": 1}}, id="no-text"),
        pytest.param({"awslogs": {"data": "%%%"}}, id="not-base64"),
        pytest.param({"awslogs": {"data": "eA=="}}, id="not-gzip"),
        pytest.param({"awslogs": {"data": packed(data("x"))["awslogs"]["data"][:-12]}}, id="cut"),  # type: ignore[index]
        pytest.param(packed("text"), id="no-json-object"),
        pytest.param(packed(data() | {"messageType": "OTHER"}), id="another-type"),
        pytest.param(packed({"messageType": "DATA_MESSAGE"}), id="without-events"),
        pytest.param(packed([[[]]]), id="a-list"),
    ],
)
def test_anything_else_is_refused(event: object) -> None:
    with pytest.raises(NoDelivery):
        delivered_lines(event)


def test_a_small_text_that_unpacks_to_a_large_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "LONGEST", 1024 * 1024)
    assert len(str(packed(data("x" * 2_000_000)))) < 10_000
    with pytest.raises(NoDelivery):
        delivered_lines(packed(data("x" * 2_000_000)))
