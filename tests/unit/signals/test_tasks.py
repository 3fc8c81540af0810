"""Polls for security events: what is acted on, acknowledged and reported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.base import TenantgateError
from tenantgate.errors.tokens import ProviderUnreachable
from tenantgate.signals.client import PollClient
from tenantgate.signals.errors import AlreadyReceived, SecurityEventRefused
from tenantgate.signals.tasks import EventPoll, Polled
from tenantgate.tokens.issuers import IssuerPolicy

pytestmark = pytest.mark.anyio

ISSUER, OTHER = "https://issuer.example", "https://other.example"


class Response(NamedTuple):
    status: int
    body: Mapping[str, object] | None


class Transmitters:
    """Poll endpoints that send each token until it is acknowledged or reported (RFC 8936 §2.4)."""

    def __init__(self, **waiting: str) -> None:
        self.waiting = {"https://issuer.example/poll": dict(waiting), "https://other.example/poll": {}}
        self.errors: dict[str, Mapping[str, str]] = {}
        self.calls = 0
        self.down = ""
        self.page = 2

    async def __call__(self, url: str, *, headers: Mapping[str, str], body: Mapping[str, object]) -> Response:
        self.calls += 1
        if url == self.down:
            raise ProviderUnreachable("refused")
        waiting = self.waiting[url]
        errors = body.get("setErrs", {})
        assert isinstance(errors, dict)
        self.errors |= errors
        acknowledged = body.get("ack", [])
        assert isinstance(acknowledged, list)
        for name in [*acknowledged, *errors]:
            del waiting[name]
        most = min(self.page, int(str(body["maxEvents"])))
        return Response(200, {"sets": dict([*waiting.items()][:most]), "moreAvailable": len(waiting) > most})


class Receiver:
    """Receives tokens; those with a failure in `fails` raise it."""

    def __init__(self) -> None:
        self.got: list[tuple[str | None, str]] = []
        self.fails: dict[str, TenantgateError] = {}

    async def receive(self, token: str, *, issuer: str | None) -> None:
        self.got.append((issuer, token))
        if token in self.fails:
            raise self.fails[token]


def poll_of(transmitters: Transmitters, receiver: Receiver) -> EventPoll:
    async def authorizations() -> str:
        return f'{{"{ISSUER}": "x", "{OTHER}": "y"}}'

    issuers = [
        IssuerPolicy("https://pushes.example", ("api",), event_audiences=("a",)),
        *(
            IssuerPolicy(issuer, ("api",), event_audiences=("a",), event_poll_url=f"{issuer}/poll")
            for issuer in (ISSUER, OTHER)
        ),
    ]
    return EventPoll(issuers, PollClient(transmitters, authorizations), receiver)


async def test_all_events_of_all_issuers_are_acted_on_and_acknowledged() -> None:
    transmitters, receiver = Transmitters(a="1", b="2", c="3"), Receiver()
    transmitters.waiting["https://other.example/poll"] = {"d": "4"}
    assert await poll_of(transmitters, receiver).run() == Polled(accepted=4)
    assert receiver.got == [(ISSUER, "1"), (ISSUER, "2"), (ISSUER, "3"), (OTHER, "4")]
    assert not any(transmitters.waiting.values())


async def test_a_poll_without_events_is_one_call_for_each_issuer() -> None:
    transmitters = Transmitters()
    assert await poll_of(transmitters, Receiver()).run() == Polled()
    assert transmitters.calls == 2


async def test_refused_events_are_reported_with_their_error() -> None:
    transmitters, receiver = Transmitters(a="1", b="2"), Receiver()
    receiver.fails["1"] = SecurityEventRefused()
    assert await poll_of(transmitters, receiver).run() == Polled(accepted=1, refused=1)
    assert transmitters.errors == {
        "a": {"err": "invalid_request", "description": SecurityEventRefused.description},
    }
    assert not transmitters.waiting["https://issuer.example/poll"]


async def test_a_copy_is_acknowledged() -> None:
    transmitters, receiver = Transmitters(a="1"), Receiver()
    receiver.fails["1"] = AlreadyReceived()
    assert await poll_of(transmitters, receiver).run() == Polled(accepted=1)
    assert not transmitters.errors


async def test_after_our_failure_the_issuer_keeps_the_token_and_those_after_it() -> None:
    transmitters, receiver = Transmitters(a="1", b="2", c="3"), Receiver()
    transmitters.page = 3
    receiver.fails["2"] = DatabaseUnreachable("connection refused")
    with pytest.raises(DatabaseUnreachable):
        await poll_of(transmitters, receiver).run()
    assert transmitters.waiting["https://issuer.example/poll"] == {"b": "2", "c": "3"}
    receiver.fails.clear()
    assert await poll_of(transmitters, receiver).run() == Polled(accepted=2)


async def test_one_issuers_failure_keeps_no_other_from_being_polled(caplog: pytest.LogCaptureFixture) -> None:
    transmitters, receiver = Transmitters(), Receiver()
    transmitters.down = "https://issuer.example/poll"
    transmitters.waiting["https://other.example/poll"] = {"d": "4"}
    with pytest.raises(ProviderUnreachable):
        await poll_of(transmitters, receiver).run()
    assert receiver.got == [(OTHER, "4")]
    assert [record.message for record in caplog.records] == ["security events were not fetched"]


async def test_an_issuer_that_always_has_more_does_not_keep_the_others_waiting() -> None:
    transmitters, receiver = Transmitters(**{f"n{number}": str(number) for number in range(100)}), Receiver()
    transmitters.waiting["https://other.example/poll"] = {"d": "4"}
    await poll_of(transmitters, receiver).run()
    assert receiver.got[-1] == (OTHER, "4")
    assert len(transmitters.waiting["https://issuer.example/poll"]) == 60
