"""The effects of security events, and the events that are refused."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple
from uuid import uuid4

import pytest

from tenantgate.audit.models import Event, StoredEvent
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.errors.tokens import (
    AlgorithmNotAllowed,
    InvalidClaim,
    InvalidSignature,
    MalformedToken,
    TokenError,
    UnknownKey,
    WrongAudience,
    WrongIssuer,
    WrongTokenType,
)
from tenantgate.signals.errors import AlreadyReceived, ForeignSubject, SecurityEventRefused, UnsupportedSubject
from tenantgate.signals.models import ENDING_EVENTS, VERIFICATION_EVENT
from tenantgate.signals.service import EndedSession, SecurityEventService, UnfinishedEnd
from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate.tokens.security_event import LONGEST_AGE_SECONDS, SecurityEvent
from tests.fixtures.revoked.keys import RevokedKeys
from tests.fixtures.tokens.issuer import NOW, ManualClock

pytestmark = pytest.mark.anyio

ISSUER, BOUND = "https://issuer.example", "https://bound.example"
POLICIES = (
    IssuerPolicy(ISSUER, ("api",), event_audiences=("https://auth.example",)),
    IssuerPolicy(BOUND, ("api",), tenants=frozenset({"org-1"}), event_audiences=("https://auth.example",)),
)
REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"


def user(subject: str = "user-1", issuer: str = ISSUER) -> dict[str, object]:
    return {"format": "iss_sub", "iss": issuer, "sub": subject}


def opaque(identifier: str) -> dict[str, object]:
    return {"format": "opaque", "id": identifier}


def token(issuer: str = ISSUER) -> dict[str, object]:
    return {"format": "jwt_id", "iss": issuer, "jti": "jti-1"}


def both(**members: object) -> dict[str, object]:
    return {"format": "complex", **members}


class Ended(NamedTuple):
    issuer: str
    user_id: str


class World:
    """The service's surroundings, which record what it does; `down` fails the next steps."""

    def __init__(self, *policies: IssuerPolicy) -> None:
        self.known: dict[str, SecurityEvent | TokenError] = {}
        self.received: dict[bytes, float] = {}
        self.done: set[bytes] = set()
        self.events: list[StoredEvent] = []
        self.appended: list[Event] = []
        self.named: list[bytes] = []
        self.effects: list[tuple[object, ...]] = []
        self.ended: Sequence[EndedSession] = ()
        self.down: Exception | None = None
        self.cache_down = False
        self.keys = RevokedKeys()
        self.clock = ManualClock(NOW)
        self.service = SecurityEventService(
            self,
            policies or POLICIES,
            received=self,
            sessions=self,
            revocations=self,
            require_key=self.keys.require,
            append=self.append,
            clock=self.clock,
        )

    def event(
        self,
        subject: object,
        *,
        events: Collection[str] = (REVOKED,),
        issuer: str = ISSUER,
        token_id: str | None = None,
    ) -> str:
        """Return the text of a new token."""
        text = str(uuid4())
        members: Mapping[str, Mapping[str, object]] = {name: {} for name in events}
        self.known[text] = SecurityEvent(issuer, token_id or text, NOW, members, subject, "kid-1")
        return text

    def verify_security_event(
        self, token: str, *, audiences: Mapping[str, Collection[str]], fetch: bool
    ) -> SecurityEvent:
        assert not fetch
        found = self.known[token]
        if isinstance(found, TokenError):
            raise found
        if found.issuer not in audiences:
            raise WrongIssuer("iss sends no security events")
        return found

    async def append(self, event: Event) -> None:
        self.appended.append(event)

    async def begin(self, token_hash: bytes, *, named: Sequence[bytes], issued_at: float, expires_at: float) -> bool:
        self._require_up()
        assert (issued_at, expires_at) == (NOW, NOW + LONGEST_AGE_SECONDS + 3600)
        self.received[token_hash] = expires_at
        self.named += named
        return token_hash not in self.done

    async def finish(self, token_hash: bytes, *, at: float, event: StoredEvent) -> None:
        self.events.append(event)
        self.done.add(token_hash)

    async def digests(self, issuer: str, *, user: str | None, sid: str | None) -> Sequence[bytes]:
        return [f"{issuer} {name}".encode() for name in (sid, user) if name is not None]

    async def end(
        self, issuer: str, *, user: str | None, sid: str | None, tenant_id: str | None
    ) -> Sequence[EndedSession]:
        self._require_up()
        # Recorded before it begins, so that a sign-in in between is refused.
        assert len(self.received) > len(self.done)
        self.effects.append(("sessions", issuer, user, sid, tenant_id))
        if self.cache_down:
            raise UnfinishedEnd(self.ended, CacheUnavailable("down"))
        return self.ended

    async def revoke_token(self, issuer: str, *, token_id: str) -> None:
        self._record("token", issuer, token_id)

    async def revoke_user(self, tenant_id: str | None, issuer: str, user_id: str) -> None:
        self._record("user", issuer, user_id, tenant_id)

    async def revoke_tenant(self, tenant_id: str) -> None:
        self._record("tenant", tenant_id)

    def _record(self, *effect: object) -> None:
        self._require_up()
        self.effects.append(effect)
        if self.cache_down:
            raise CacheUnavailable("down")

    def _require_up(self) -> None:
        if self.down is not None:
            raise self.down


@pytest.fixture
def world() -> World:
    return World()


def events_in(caplog: pytest.LogCaptureFixture) -> list[object]:
    return [vars(record)["context"]["event"] for record in caplog.records if "context" in vars(record)]


@pytest.mark.parametrize(
    ("subject", "named"),
    [
        pytest.param(user(), [f"{ISSUER} user-1"], id="user"),
        pytest.param(opaque("sid-1"), [f"{ISSUER} sid-1"], id="session"),
        pytest.param(both(user=user(), session=opaque("sid-1")), [f"{ISSUER} sid-1", f"{ISSUER} user-1"], id="both"),
        pytest.param(token(), [], id="token"),
    ],
)
async def test_a_running_sign_in_finds_the_names_in_the_event(subject: object, named: list[str], world: World) -> None:
    await world.service.receive(world.event(subject))
    assert world.named == [name.encode() for name in named]


@pytest.mark.parametrize("event", sorted(ENDING_EVENTS))
async def test_every_ending_event_ends_the_users_sessions_and_tokens(event: str, world: World) -> None:
    await world.service.receive(world.event(user(), events=[event]))
    assert world.effects == [("sessions", ISSUER, "user-1", None, None), ("user", ISSUER, "user-1", None)]


@pytest.mark.parametrize(
    ("subject", "effects"),
    [
        pytest.param(opaque("sid-1"), [("sessions", ISSUER, None, "sid-1", None)], id="session"),
        pytest.param(token(), [("token", ISSUER, "jti-1")], id="token"),
        pytest.param(
            both(user=user(), tenant=opaque("org-7")),
            [("sessions", ISSUER, "user-1", None, "org-7"), ("user", ISSUER, "user-1", "org-7")],
            id="user-in-a-tenant",
        ),
        pytest.param(
            both(user=user(), session=opaque("sid-1")),
            [("sessions", ISSUER, "user-1", "sid-1", None)],
            id="a-users-session-only",
        ),
        pytest.param(
            both(session=opaque("sid-1"), tenant=opaque("org-7")),
            [("sessions", ISSUER, None, "sid-1", "org-7")],
            id="session-in-a-tenant",
        ),
    ],
)
async def test_an_event_ends_only_what_it_names(
    subject: object, effects: list[tuple[object, ...]], world: World
) -> None:
    await world.service.receive(world.event(subject))
    assert world.effects == effects


async def test_an_issuer_that_is_bound_to_a_tenant_may_name_it(world: World) -> None:
    await world.service.receive(world.event(both(tenant=opaque("org-1")), issuer=BOUND))
    assert world.effects == [("tenant", "org-1")]


@pytest.mark.parametrize(
    ("subject", "issuer"),
    [
        pytest.param(user(issuer=BOUND), ISSUER, id="another-issuers-user"),
        pytest.param(token(BOUND), ISSUER, id="another-issuers-token"),
        pytest.param(both(tenant=opaque("org-2")), BOUND, id="another-tenant"),
        pytest.param(both(user=user(issuer=BOUND), tenant=opaque("org-2")), BOUND, id="own-user-in-another-tenant"),
        pytest.param(both(session=opaque("sid-1"), tenant=opaque("org-2")), BOUND, id="session-in-another-tenant"),
        # An issuer for all tenants is bound to none: other issuers have users there.
        pytest.param(both(tenant=opaque("org-1")), ISSUER, id="a-whole-tenant-of-an-issuer-for-all"),
    ],
)
async def test_a_foreign_subject_is_denied(
    subject: object, issuer: str, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ForeignSubject) as refused:
        await world.service.receive(world.event(subject, issuer=issuer))
    assert refused.value.err == "access_denied"
    assert not world.effects
    assert not world.received
    assert events_in(caplog) == ["SECURITY_EVENT_REFUSED"]
    assert [(one.type, one.outcome, one.detail) for one in world.appended] == [
        ("SECURITY_EVENT_REFUSED", "denied", {"err": "access_denied"})
    ]


async def test_an_ending_event_without_a_supported_subject_is_refused(world: World) -> None:
    for subject in (None, {"format": "email", "email": "user@example.com"}):
        with pytest.raises(UnsupportedSubject):
            await world.service.receive(world.event(subject))
    assert not world.effects


@pytest.mark.parametrize(
    ("event", "logged"),
    [
        (VERIFICATION_EVENT, "SECURITY_EVENT_RECEIVED"),
        ("https://schemas.openid.net/secevent/caep/event-type/device-compliance-change", "SECURITY_EVENT_IGNORED"),
        ("urn:ietf:params:scim:event:feed:add", "SECURITY_EVENT_IGNORED"),
    ],
)
async def test_other_events_are_accepted_and_end_nothing(
    event: str, logged: str, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await world.service.receive(world.event(opaque("the stream"), events=[event]))
    assert not world.effects
    assert events_in(caplog) == [logged]


async def test_an_unknown_event_next_to_a_known_one_changes_nothing(world: World) -> None:
    await world.service.receive(world.event(opaque("sid-1"), events=["https://other.example/event", REVOKED]))
    assert len(world.effects) == 1


async def test_a_copy_is_refused_and_ends_nothing(world: World) -> None:
    text = world.event(user(), token_id="one id")
    await world.service.receive(text)
    effects = [*world.effects]
    for copy in (text, world.event(user("user-2"), token_id="one id")):
        with pytest.raises(AlreadyReceived) as refused:
            await world.service.receive(copy)
        assert refused.value.err == "invalid_request"
    assert world.effects == effects
    # Another issuer may use the same id.
    await world.service.receive(world.event(user(issuer=BOUND), issuer=BOUND, token_id="one id"))


async def test_of_concurrent_deliveries_each_is_done_or_refused(world: World) -> None:
    text = world.event(opaque("sid-1"))
    results = await asyncio.gather(*(world.service.receive(text) for _ in range(8)), return_exceptions=True)
    assert None in results
    assert all(result is None or isinstance(result, AlreadyReceived) for result in results)


async def test_after_our_failure_the_token_may_be_sent_again(world: World) -> None:
    text = world.event(user())
    world.down = DatabaseUnreachable("connection refused")
    with pytest.raises(DatabaseUnreachable):
        await world.service.receive(text)
    world.down = None
    await world.service.receive(text)
    assert len(world.effects) == 2


async def test_what_is_not_yet_everywhere_is_reported_after_all_has_ended(world: World) -> None:
    world.ended, world.cache_down = (Ended("https://tokens.example", "oid-1"),), True
    text = world.event(user())
    with pytest.raises(CacheUnavailable):
        await world.service.receive(text)
    assert [effect[0] for effect in world.effects] == ["sessions", "user", "user"]
    world.cache_down = False
    await world.service.receive(text)


async def test_a_user_with_another_id_in_access_tokens_is_found_by_the_sessions() -> None:
    policy = IssuerPolicy(ISSUER, ("api",), user_claim="oid", event_audiences=("https://auth.example",))
    world = World(policy)
    world.ended = (Ended(ISSUER, "oid-1"), Ended(ISSUER, "oid-1"))
    await world.service.receive(world.event(user()))
    # Never the subject: it may be the id of another user.
    assert world.effects == [("sessions", ISSUER, "user-1", None, None), ("user", ISSUER, "oid-1", None)]


async def test_the_user_of_an_ended_session_stays_signed_in_elsewhere(world: World) -> None:
    world.ended = (Ended(ISSUER, "user-1"),)
    await world.service.receive(world.event(opaque("sid-1")))
    assert [effect[0] for effect in world.effects] == ["sessions"]


async def test_only_the_issuer_that_it_was_fetched_from_may_have_sent_a_token(world: World) -> None:
    with pytest.raises(SecurityEventRefused) as refused:
        await world.service.receive(world.event(user()), issuer=BOUND)
    assert refused.value.err == "invalid_issuer"
    await world.service.receive(world.event(user()), issuer=ISSUER)


async def test_an_event_by_a_revoked_key_ends_nothing(world: World) -> None:
    world.keys.names = {(BOUND, "kid-1"), (ISSUER, "kid-2")}
    await world.service.receive(world.event(opaque("sid-1")))
    world.keys.names = {(ISSUER, "kid-1")}
    effects = [*world.effects]
    with pytest.raises(SecurityEventRefused) as refused:
        await world.service.receive(world.event(user()))
    assert refused.value.err == "invalid_key"
    assert world.effects == effects
    # It isn't used up: an operator may lift the revocation.
    assert len(world.received) == 1


async def test_an_issuer_without_audiences_may_send_none() -> None:
    world = World(IssuerPolicy(ISSUER, ("api",)))
    with pytest.raises(SecurityEventRefused) as refused:
        await world.service.receive(world.event(user()))
    assert refused.value.err == "invalid_issuer"


@pytest.mark.parametrize(
    ("rejection", "err"),
    [
        (MalformedToken("x"), "invalid_request"),
        (WrongTokenType("x"), "invalid_request"),
        (InvalidClaim("x"), "invalid_request"),
        (UnknownKey("x"), "invalid_key"),
        (AlgorithmNotAllowed("x"), "invalid_key"),
        (InvalidSignature("x"), "authentication_failed"),
        (WrongIssuer("x"), "invalid_issuer"),
        (WrongAudience("x"), "invalid_audience"),
    ],
)
async def test_a_rejected_token_has_the_error_of_the_specification(
    rejection: TokenError, err: str, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.known["the-canary"] = rejection
    with pytest.raises(SecurityEventRefused) as refused:
        await world.service.receive("the-canary")
    assert refused.value.err == err
    assert events_in(caplog) == ["SECURITY_EVENT_REFUSED"]
    assert "the-canary" not in str([vars(record) for record in caplog.records])
