"""The chain in the running product: an event of the provider, pushed or fetched, and the session is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx2
import pytest

from container.polling import POLL_SECONDS
from tenantgate.tokens.tenant import DEPLOYMENT
from tests.fixtures.audit.recording import rows
from tests.fixtures.browsers.scripted import Browser, location
from tests.fixtures.providers.misbehaving import (
    CLIENT_ID,
    CLIENT_SECRET,
    EVENT_AUDIENCE,
    CannedResponse,
    MisbehavingProvider,
)
from tests.fixtures.stack.commands import RunningStack, dev_stack, serve_stack

CAEP = "https://schemas.openid.net/secevent/caep/event-type"
SSF = "https://schemas.openid.net/secevent/ssf/event-type"
RISC = "https://schemas.openid.net/secevent/risc/event-type"
SECEVENT = {"content-type": "application/secevent+jwt"}
# C13: counted from receipt.
LONGEST_SECONDS = 1.0


@dataclass
class Chain:
    """A stack, its provider, and a user's browser."""

    stack: RunningStack
    provider: MisbehavingProvider

    def sign_in(self, browser: Browser) -> None:
        # In the next second: a session that began in that of a revocation may be an earlier one.
        time.sleep(1.01 - time.time() % 1)
        started = browser.get(f"{self.stack.url}/api/v1/auth/login")
        assert browser.get(location(browser.get(location(started)))).status_code == 303
        assert self.me(browser) == 200

    def me(self, browser: Browser) -> int:
        """The status of a route behind the authorizer, which reads only Valkey."""
        return browser.get(f"{self.stack.url}/api/v1/auth/me", accept="application/json").status_code

    def event(self, name: str) -> str:
        """Sign an event that is some seconds old: one from the same second would refuse the next sign-in, too."""
        return self.provider.security_event(name, edit=lambda claims: claims | {"iat": claims["iat"] - 5})

    def validate(self, token: str) -> httpx2.Response:
        headers = {"authorization": f"Bearer {token}"}
        return httpx2.get(f"{self.stack.url}/api/v1/auth/validate", headers=headers, timeout=30)

    def push(self, token: str) -> httpx2.Response:
        return httpx2.post(f"{self.stack.url}/api/v1/security-events", content=token, headers=SECEVENT, timeout=30)


@pytest.fixture(scope="module", params=["gateway", "container"])
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with ExitStack() as stack:
        provider = stack.enter_context(MisbehavingProvider())
        provider.responses["/poll"] = CannedResponse.of_json({"sets": {}})
        entry = {
            "issuer": provider.issuer,
            "audiences": [provider.audience],
            "tenants": "*",
            "event_audiences": [EVENT_AUDIENCE],
            "event_poll_url": f"{provider.issuer}/poll",
        }
        variables = {
            "OIDC_ISSUER_URL": provider.issuer,
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "TRUSTED_ISSUERS": json.dumps([entry]),
            "EVENT_POLL_AUTHORIZATION": json.dumps({provider.issuer: "Bearer of-the-stream"}),
        }
        start: Callable[..., object] = dev_stack if request.param == "gateway" else serve_stack
        folder = tmp_path_factory.mktemp("stack")
        yield Chain(stack.enter_context(start(folder, env=variables)), provider)  # type: ignore[arg-type]


@pytest.mark.timed
@pytest.mark.parametrize("event", [f"{CAEP}/session-revoked", f"{RISC}/account-disabled"])
def test_a_pushed_event_is_a_refused_session_within_a_second(event: str, chain: Chain) -> None:
    with Browser() as browser, Browser() as other:
        for each in (browser, other):
            chain.sign_in(each)
        # The function's cold start isn't part of the bound.
        assert chain.push("a.b.c").json()["err"] == "invalid_request"
        kept = dict(browser.cookies)
        token = chain.event(event)
        sent = time.monotonic()
        response = chain.push(token)
        statuses = [chain.me(browser), chain.me(other)]
        seconds = time.monotonic() - sent
        assert (response.status_code, response.content) == (202, b"")
        assert statuses == [401, 401]
        assert seconds < LONGEST_SECONDS
        assert "You are signed in" not in browser.get(f"{chain.stack.url}/").text
        browser.cookies = kept
        assert chain.me(browser) == 401
        copy = chain.push(token)
        assert (copy.status_code, copy.json()["err"]) == (400, "invalid_request")
        chain.sign_in(browser)


@pytest.mark.timed
@pytest.mark.parametrize("is_whole_user", [True, False], ids=["a-user", "a-token"])
def test_a_pushed_event_is_a_refused_bearer_token_within_a_second(is_whole_user: bool, chain: Chain) -> None:
    issuer = chain.provider.issuer
    subject = f"user-of-{is_whole_user}"
    chain.provider.edit_access_token = lambda claims: claims | {"sub": subject, "jti": f"jti-of-{subject}"}
    token = chain.provider.access_token()
    chain.provider.edit_access_token = dict
    assert chain.validate(token).status_code == 200
    named = (
        {"format": "iss_sub", "iss": issuer, "sub": subject}
        if is_whole_user
        else {"format": "jwt_id", "iss": issuer, "jti": f"jti-of-{subject}"}
    )
    event = chain.provider.security_event(f"{CAEP}/token-claims-change", edit=lambda claims: claims | {"sub_id": named})
    sent = time.monotonic()
    response = chain.push(event)
    received = time.monotonic()
    assert response.status_code == 202
    assert received - sent < LONGEST_SECONDS
    # The list of revocations is read again after half a second.
    while (refused := chain.validate(token)).status_code == 200:
        assert time.monotonic() - received < LONGEST_SECONDS
        time.sleep(0.02)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "AUTH_030")


@pytest.mark.records("SECURITY_EVENT_RECEIVED", "SECURITY_EVENT_IGNORED", "SECURITY_EVENT_REFUSED")
def test_each_event_is_recorded_in_the_deployments_own_log(chain: Chain) -> None:
    sent = [f"{SSF}/verification", "https://example.com/event-type/of-no-meaning"]
    received = [chain.push(chain.event(name)) for name in sent]
    refused = chain.push("a.b.c")
    assert [response.status_code for response in (*received, refused)] == [202, 202, 400]
    query = "SELECT * FROM audit_events WHERE request_id = ANY($1) ORDER BY created_at"
    found = rows(chain.stack, query, [response.headers["x-request-id"] for response in (*received, refused)])
    assert [(row["event_type"], row["outcome"]) for row in found] == [
        ("SECURITY_EVENT_RECEIVED", "success"),
        ("SECURITY_EVENT_IGNORED", "success"),
        ("SECURITY_EVENT_REFUSED", "denied"),
    ]
    assert {row["tenant_id"] for row in found} == {DEPLOYMENT}
    assert {row["user_digest"] for row in found} == {None}


# On AWS a schedule invokes the poll.
@pytest.mark.parametrize("chain", ["container"], indirect=True)
def test_a_polled_event_is_acknowledged_and_its_session_refused(chain: Chain) -> None:
    with Browser() as browser:
        chain.sign_in(browser)
        token = chain.event(f"{CAEP}/credential-change")
        before = len(chain.provider.asked("/poll"))
        chain.provider.responses["/poll"] = CannedResponse.of_json({"sets": {"jti-1": token}})
        deadline = time.monotonic() + 3 * POLL_SECONDS
        while chain.me(browser) == 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert chain.me(browser) == 401
        while len(chain.provider.asked("/poll")) < before + 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        polls = chain.provider.asked("/poll")
        assert {poll.headers["authorization"] for poll in polls} == {"Bearer of-the-stream"}
