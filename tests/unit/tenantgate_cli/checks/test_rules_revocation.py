"""The sum of an authorizer's TTL and the bound of revocations."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenantgate_cli.checks.rules_revocation import revocation_delays
from tenantgate_cli.checks.rules_template import Guard
from tests.fixtures.rules_check.run import RULES, Outcome, http, rest, sam

_FIRST = "Api, authorizer Gate: a revocation takes effect within "


@pytest.mark.parametrize(
    ("template", "length"),
    [
        pytest.param(http("Identity: { ReauthorizeEvery: 0 }"), "5 s (5 s, and its TTL of 0 s)", id="not-cached"),
        pytest.param(rest("Identity: { Headers: [Authorization] }"), "305 s (5 s, and its TTL of 300 s)", id="default"),
        pytest.param(
            sam("Api", "Identity: { Header: Authorization, ReauthorizeEvery: !Ref Seconds }"),
            "65 s (5 s, and its TTL of 60 s)",
            id="a-parameter",
        ),
        # Also next to findings, here for a result that is cached for all routes.
        pytest.param(
            http("Identity: { Headers: [Authorization], ReauthorizeEvery: 60 }"),
            "65 s (5 s, and its TTL of 60 s)",
            id="unsafe",
        ),
    ],
)
def test_the_sum_is_printed_for_each_authorizer(tmp_path: Path, template: str, length: str) -> None:
    assert Outcome(tmp_path, RULES, template).delays == [f"{_FIRST}{length}\n"]


def test_nothing_is_printed_without_a_template(tmp_path: Path) -> None:
    assert Outcome(tmp_path, RULES, None).delays == []


def test_an_unknown_ttl_and_open_connections_are_named() -> None:
    unknown, socket = revocation_delays([Guard("Api", "Gate", 1), Guard("Chat", "Door", 1, websocket=True, ttl=0)])
    assert (unknown.seconds, str(unknown)) == (None, f"{_FIRST}5 s and its TTL, which is unknown here")
    assert str(socket) == (
        "Chat, authorizer Door: a revocation takes effect within 5 s (5 s, and its TTL of 0 s), for new connections: "
        "open ones live until they close"
    )
