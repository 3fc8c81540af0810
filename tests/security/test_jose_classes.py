"""Every JOSE bug class with a CVE, at least fifty mutations of each, at every entry point that accepts a token."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from container.app import container_app
from functions.auth_logout.routes import router as logout_router
from functions.auth_validate.routes import router as validate_router
from tenantgate.authorizer.service import Authorizer
from tenantgate.errors.tokens import (
    AlgorithmNotAllowed,
    InvalidSignature,
    MalformedToken,
    TokenError,
    UnknownKey,
    UnsupportedHeader,
)
from tenantgate.identity.bearer import BearerCredential
from tenantgate.identity.credential import Credentials
from tenantgate.login.wiring import logout_service, make_logout_service
from tenantgate.observability.logging import configure_logging
from tenantgate.settings.model import Settings
from tenantgate.tokens.wiring import token_verifier
from tenantgate.web.app import create_app
from tests.fixtures.authorizer.events import SHAPES, authorizer_event
from tests.fixtures.authorizer.guarded import rules
from tests.fixtures.authorizer.integrations import client_status
from tests.fixtures.revoked.nothing import nothing_is_revoked
from tests.fixtures.tokens.issuer import ALGORITHM_KEYS, AUDIENCE, ISSUER, good_claims, sign
from tests.fixtures.tokens.jose_classes import (
    LEAST,
    STRICT_ISSUER,
    good_token,
    jose_classes,
    published_jwks,
    strict_entry,
)
from tests.fixtures.web.setup import make_settings

CLASSES: dict[str, set[type[TokenError]]] = {
    "algorithm confusion": {AlgorithmNotAllowed, InvalidSignature, MalformedToken},
    "allow-list bypass through a JWK's own alg": {AlgorithmNotAllowed, UnknownKey},
    "crit ignored": {UnsupportedHeader},
    "use and key_ops ignored": {UnknownKey},
    "non-canonical or padded base64": {MalformedToken},
    "huge header segment": {MalformedToken},
    "keys from the token's own header": {UnsupportedHeader, InvalidSignature, UnknownKey},
    "kid as path, URL or SQL": {UnknownKey, AlgorithmNotAllowed, MalformedToken},
    "weak or wrong-type keys": {UnknownKey, InvalidSignature},
    "zero ECDSA signatures": {InvalidSignature},
    "JWE where JWS is expected": {MalformedToken, UnsupportedHeader},
}
EVERY_CLASS = pytest.mark.parametrize("name", CLASSES)

type EntryPoint = Callable[[str], int]
"""Returns the status of the response to this token."""


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_revoked() -> Iterator[None]:
    with nothing_is_revoked():
        yield


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    file = tmp_path_factory.mktemp("keys") / "jwks.json"
    file.write_text(json.dumps(published_jwks()))
    return make_settings(
        LOG_LEVEL="INFO",
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing",
        OIDC_ISSUER_URL=ISSUER,
        OIDC_CLIENT_ID="tenantgate",
        OIDC_AUDIENCE=AUDIENCE,
        OIDC_JWKS_FILE=str(file),
        TRUSTED_ISSUERS=strict_entry(str(file)),
    )


@pytest.fixture
def authorizer(settings: Settings) -> Authorizer:
    policy = settings.token_policy
    return Authorizer(Credentials(BearerCredential(token_verifier(policy), policy)), rules())


@pytest.fixture
def validate(settings: Settings) -> Iterator[EntryPoint]:
    with TestClient(create_app(validate_router, settings=settings)) as client:
        yield _asked(client, "GET", "/api/v1/auth/validate")


@pytest.fixture
def logout(settings: Settings) -> Iterator[EntryPoint]:
    async def no_sessions() -> Any:
        raise AssertionError("a forged token reached the sign-out")

    secrets: Any = None  # they are for the provider, which a forged token doesn't reach
    service = make_logout_service(settings, secrets, token_verifier(settings.token_policy), sessions=no_sessions)
    app = create_app(logout_router, settings=settings)
    app.dependency_overrides[logout_service] = lambda: service
    with TestClient(app) as client:
        yield _asked(client, "POST", "/api/v1/auth/logout")


@pytest.fixture
def container(settings: Settings) -> Iterator[EntryPoint]:
    with TestClient(container_app(settings)) as client:
        yield _asked(client, "GET", "/api/v1/auth/me")


def _asked(client: TestClient, method: str, path: str) -> EntryPoint:
    def ask(token: str) -> int:
        headers = [(b"authorization", b"Bearer " + token.encode("utf-8", "surrogatepass"))]
        # A body that logout accepts.
        return client.request(method, path, headers=headers, json={}).status_code

    return ask


def test_there_are_fifty_different_mutations_of_every_class() -> None:
    assert set(jose_classes()) == set(CLASSES)
    assert {name: len({m.token for m in made}) for name, made in jose_classes().items() if len(made) < LEAST} == {}
    assert all(len({mutation.token for mutation in made}) >= LEAST for made in jose_classes().values())


@EVERY_CLASS
def test_the_class_is_rejected_with_its_own_error(name: str, settings: Settings) -> None:
    verifier = token_verifier(settings.token_policy)
    for mutation in jose_classes()[name]:
        with pytest.raises(TokenError) as error:
            verifier.verify(mutation.token)
        assert type(error.value) in CLASSES[name], mutation.name


@EVERY_CLASS
@pytest.mark.parametrize("shape", SHAPES)
def test_the_authorizer_refuses_the_class(name: str, shape: str, authorizer: Authorizer) -> None:
    passed = []
    for mutation in jose_classes()[name]:
        event = authorizer_event(shape, mutation.token)
        if client_status(shape, event, lambda event=event: authorizer.decide(event)) != 401:  # type: ignore[misc]
            passed.append(mutation.name)
    assert passed == []


@EVERY_CLASS
def test_validate_refuses_the_class(name: str, validate: EntryPoint) -> None:
    assert {m.name: status for m in jose_classes()[name] if (status := validate(m.token)) != 401} == {}


@EVERY_CLASS
def test_logout_refuses_the_class(name: str, logout: EntryPoint) -> None:
    assert {m.name: status for m in jose_classes()[name] if (status := logout(m.token)) != 401} == {}


@EVERY_CLASS
def test_the_container_refuses_the_class(name: str, container: EntryPoint) -> None:
    assert {m.name: status for m in jose_classes()[name] if (status := container(m.token)) != 401} == {}


@pytest.mark.parametrize("alg", ALGORITHM_KEYS)
def test_a_valid_token_passes_every_entry_point(
    alg: str, authorizer: Authorizer, validate: EntryPoint, container: EntryPoint
) -> None:
    """Check that the other tests prove something."""
    token = good_token(alg)
    for shape in SHAPES:
        event = authorizer_event(shape, token)
        assert client_status(shape, event, lambda event=event: authorizer.decide(event)) == 200  # type: ignore[misc]
    assert validate(token) == container(token) == 200


def test_the_strict_issuers_own_algorithm_passes(validate: EntryPoint) -> None:
    assert validate(good_token(issuer=STRICT_ISSUER)) == 200


def _monsters() -> list[str]:
    """Return the most expensive tokens of 64 KB, and the largest that the verifier parses at all."""
    header, payload, signature = sign(good_claims(int(time.time()))).split(".")
    return [
        *("A" * 65536, "." * 65536, "a." * 32768, "é" * 32768, "e30." * 16384),
        f"{'e' * 65000}.{payload}.{signature}",
        f"{header}.{payload}.{'A' * 65000}",
        *(f"{header}.{unit * (60_000 // len(unit))}.{signature}" for unit in ("W1tb", "eyJhIjp7", "OTk5")),
        *(f"{header}.{unit * (15_000 // len(unit))}.{signature}" for unit in ("W1tb", "eyJhIjp7", "OTk5", "IiIs")),
        *(f"{unit * (4_000 // len(unit))}.{payload}.{signature}" for unit in ("W1tb", "eyJhIjp7", "OTk5")),
        *(mutation.token for made in jose_classes().values() for mutation in made),
    ]


@pytest.mark.timed
def test_any_token_of_64_kb_is_refused_within_5_ms_and_10_mb(
    authorizer: Authorizer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Measure the CPU time with receipt and log line, so that other load on the machine doesn't count."""
    configure_logging(level="INFO", service="authorizer")
    events = [authorizer_event("rest-token", token) for token in _monsters()]

    def refuse(event: dict[str, Any]) -> float:
        started = time.thread_time()
        with pytest.raises(Exception, match=r"\AUnauthorized\Z"):
            authorizer.decide(event)
        return time.thread_time() - started

    slowest = max(min(refuse(event) for _ in range(3)) for event in events)
    tracemalloc.start()
    try:
        largest = 0
        for event in events:
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            refuse(event)
            largest = max(largest, tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    capsys.readouterr()
    assert slowest <= 0.005
    assert largest <= 10_000_000
