"""The principal, and its form in the authorizer's context."""

from __future__ import annotations

import copy

import pytest

from tenantgate.errors.access import AuthenticationRequired
from tenantgate.identity.principal import Principal
from tests.fixtures.tokens.issuer import ISSUER, NOW, TENANT

PRINCIPAL = Principal("user-1", TENANT, ISSUER, frozenset({"b", "a"}), NOW, "bearer", {"sub": "user-1"})


def test_the_context_contains_only_strings_and_numbers() -> None:
    assert PRINCIPAL.to_context() == {
        "user_id": "user-1",
        "tenant_id": TENANT,
        "issuer": ISSUER,
        "scopes": "a b",
        "expires_at": NOW,
        "auth_method": "bearer",
    }


def test_issuer_and_user_together_identify_a_principal() -> None:
    issuers = ("https://a.example", "https://a.example#x", "https://a.example%23x", "https://a.example/%", "a#", "a")
    users = ("user-1", "x#user-1", "#user-1", "%23user-1", "a#b#c")
    named = {copy.replace(PRINCIPAL, issuer=issuer, user_id=user).global_id for issuer in issuers for user in users}
    assert len(named) == len(issuers) * len(users)
    assert PRINCIPAL.global_id == f"{ISSUER}#user-1"


@pytest.mark.parametrize("expires_at", [NOW, str(NOW), float(NOW)])
def test_a_principal_read_from_the_context_has_no_claims(expires_at: object) -> None:
    context = PRINCIPAL.to_context() | {"expires_at": expires_at, "request_id": "r-12345678"}
    assert Principal.from_context(context) == copy.replace(PRINCIPAL, claims={})


@pytest.mark.parametrize("auth_method", ["bearer", "session", "api_key"])
def test_the_context_keeps_the_authentication_method(auth_method: str) -> None:
    session = {"session_id": "b8f4"} if auth_method == "session" else {}
    context = PRINCIPAL.to_context() | {"auth_method": auth_method} | session
    assert Principal.from_context(context).auth_method == auth_method


@pytest.mark.parametrize(
    "changes",
    [
        *(
            pytest.param({name: value}, id=f"{name}-{value!r}")
            for name in ("user_id", "tenant_id", "issuer")
            for value in ("", None, 1, True, ["x"])
        ),
        *(
            pytest.param({"expires_at": value}, id=f"expires_at-{value!r}")
            for value in (None, True, "", "x", "1e9", "-1", -1, 1.5, float("nan"), float("inf"), "9" * 13, [NOW])
        ),
        *(pytest.param({"auth_method": value}, id=f"auth_method-{value!r}") for value in (None, "", "root", 1)),
        *(pytest.param({"scopes": value}, id=f"scopes-{value!r}") for value in (None, 1, ["a"])),
    ],
)
def test_a_context_in_another_form_is_rejected(changes: dict[str, object]) -> None:
    with pytest.raises(AuthenticationRequired):
        Principal.from_context(PRINCIPAL.to_context() | changes)


def test_a_context_without_scopes_has_none() -> None:
    context = {name: value for name, value in PRINCIPAL.to_context().items() if name != "scopes"}
    assert Principal.from_context(context).scopes == frozenset()


@pytest.mark.parametrize("missing", ["user_id", "tenant_id", "issuer", "expires_at", "auth_method"])
def test_an_incomplete_context_is_rejected(missing: str) -> None:
    context = {name: value for name, value in PRINCIPAL.to_context().items() if name != missing}
    with pytest.raises(AuthenticationRequired):
        Principal.from_context(context)


def test_a_session_keeps_its_id_and_the_time_of_the_sign_in() -> None:
    principal = copy.replace(PRINCIPAL, auth_method="session", session_id="b8f4", auth_time=NOW - 60, claims={})
    context = principal.to_context()
    assert (context["session_id"], context["auth_time"]) == ("b8f4", NOW - 60)
    assert Principal.from_context(context) == principal
    # A REST API turns numbers into strings.
    assert Principal.from_context(context | {"auth_time": str(NOW - 60)}) == principal


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"auth_method": "session"}, id="a session without its id"),
        pytest.param({"auth_method": "session", "session_id": ""}, id="an empty id"),
        pytest.param({"auth_method": "session", "session_id": 7}, id="an id that is not text"),
        pytest.param({"session_id": "b8f4"}, id="an id without a session"),
        pytest.param({"auth_time": "soon"}, id="a time that is not a number"),
        pytest.param({"auth_time": -1}, id="a negative time"),
        pytest.param({"auth_time": True}, id="a boolean as a time"),
    ],
)
def test_a_malformed_session_in_the_context_is_rejected(changes: dict[str, object]) -> None:
    with pytest.raises(AuthenticationRequired):
        Principal.from_context(PRINCIPAL.to_context() | changes)
