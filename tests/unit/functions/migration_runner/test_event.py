import pytest

from functions.migration_runner.event import parse_event
from tenantgate.errors.base import ValidationFailed


@pytest.mark.parametrize(
    ("event", "parsed"),
    [
        ({"action": "upgrade"}, ("upgrade", None)),
        ({"action": "upgrade", "revision": "head"}, ("upgrade", "head")),
        ({"action": "upgrade", "revision": "x" * 64}, ("upgrade", "x" * 64)),
        ({"action": "downgrade", "revision": "-1"}, ("downgrade", "-1")),
        ({"action": "current"}, ("current", None)),
        ({"action": "current", "revision": None}, ("current", None)),
    ],
)
def test_returns_action_and_revision(event: object, parsed: tuple[str, str | None]) -> None:
    assert parse_event(event) == parsed


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (None, ["event"]),
        ([], ["event"]),
        ({}, ["action"]),
        ({"action": ["upgrade"]}, ["action"]),
        ({"action": "drop", "revision": "", "sql": "x"}, ["sql", "action", "revision"]),
        ({"action": "upgrade", "revision": "x" * 65}, ["revision"]),
        ({"action": "upgrade", "revision": 1}, ["revision"]),
        ({"action": "downgrade"}, ["revision"]),
        ({"action": "current", "revision": "head"}, ["revision"]),
        ({"action": "current", "n" * 100: 1}, ["n" * 64]),
    ],
)
def test_lists_every_problem(event: object, fields: list[str]) -> None:
    with pytest.raises(ValidationFailed) as raised:
        parse_event(event)

    detail = raised.value.detail
    assert isinstance(detail, list)
    assert [problem["field"] for problem in detail] == fields
    assert all(problem["problem"] for problem in detail)
