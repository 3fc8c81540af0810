"""A bearer token and the list of revocations: judged once, and only for a caller that proved something."""

from collections.abc import Iterator
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends
from starlette.testclient import TestClient

from tenantgate.errors.revocation import RevocationUnknown
from tenantgate.revoked.names import token_name
from tenantgate.revoked.snapshot import Snapshot
from tenantgate.tokens.verifier import TokenVerifier
from tenantgate.web.app import create_app
from tenantgate.web.dependencies import VerifiedCaller, verified_caller
from tests.fixtures.web.setup import ISSUER, Issuer


class Revocations:
    """A list that names one token. `happened`: the calls of it and of the verifier, in their order."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.is_known = True

    async def refresh(self) -> None:
        self.happened.append("refresh")

    def current(self) -> Snapshot:
        self.happened.append("current")
        if not self.is_known:
            raise RevocationUnknown
        return Snapshot(1, frozenset({token_name(ISSUER, "revoked", "")}), {}, frozenset(), None, {})


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer.in_folder(tmp_path_factory.mktemp("issuer"))


@pytest.fixture
def revocations(monkeypatch: pytest.MonkeyPatch) -> Revocations:
    made = Revocations()
    verify = TokenVerifier.verify

    def noted(self: TokenVerifier, token: str, **options: bool) -> object:
        made.happened.append("verify")
        return verify(self, token, **options)

    monkeypatch.setattr(TokenVerifier, "verify", noted)
    return made


@pytest.fixture
def client(issuer: Issuer, revocations: Revocations) -> Iterator[TestClient]:
    router = APIRouter()

    async def no_session(secret: str) -> object:
        raise AssertionError(f"no cookie was sent, but {secret}")

    dependency = verified_caller(no_session, lambda: revocations)  # type: ignore[arg-type]

    @router.get("/caller")
    async def tell(caller: Annotated[VerifiedCaller, Depends(dependency)]) -> str:
        return caller.principal.user_id

    with TestClient(create_app(router, settings=issuer.settings()), base_url="https://gate.example.test") as made:
        yield made


def call(client: TestClient, token: str) -> tuple[int, str | None]:
    response = client.get("/caller", headers={"authorization": f"Bearer {token}"})
    body = response.json()
    return response.status_code, body["error"]["code"] if response.is_error else None


def test_a_token_is_verified_once_and_then_judged_by_the_current_list(
    client: TestClient, issuer: Issuer, revocations: Revocations
) -> None:
    for _ in range(2):
        assert call(client, issuer.token()) == (200, None)
    assert revocations.happened == ["verify", "refresh", "current"] * 2


def test_a_revoked_token_is_refused(client: TestClient, issuer: Issuer, revocations: Revocations) -> None:
    assert call(client, issuer.token(jti="revoked")) == (401, "AUTH_030")
    assert revocations.happened == ["verify", "refresh", "current"]


def test_without_a_list_that_counts_no_token_passes(
    client: TestClient, issuer: Issuer, revocations: Revocations
) -> None:
    revocations.is_known = False
    assert call(client, issuer.token()) == (503, "SYS_011")


@pytest.mark.parametrize(
    "token",
    [pytest.param("not.a.token", id="malformed"), pytest.param("forged", id="signature"), pytest.param("", id="no")],
)
def test_a_caller_that_proved_nothing_causes_no_reading(
    token: str, client: TestClient, issuer: Issuer, revocations: Revocations
) -> None:
    sent = f"{issuer.token().rpartition('.')[0]}.{'A' * 86}" if token == "forged" else token
    assert call(client, sent)[0] == 401
    assert "refresh" not in revocations.happened
