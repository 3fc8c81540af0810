"""The credential for a request, chosen by the authorization scheme."""

from __future__ import annotations

import pytest

from tenantgate.authorizer.service import Authorizer
from tenantgate.errors.access import AuthenticationRequired
from tenantgate.errors.tokens import TokenExpired
from tenantgate.identity.bearer import BearerCredential
from tenantgate.identity.credential import Credentials, split_authorization
from tenantgate.identity.principal import Principal
from tests.fixtures.authorizer.events import authorizer_event
from tests.fixtures.authorizer.guarded import rules
from tests.fixtures.tokens.issuer import (
    ISSUER,
    NOW,
    TENANT,
    ManualClock,
    good_claims,
    policy_of,
    sign,
    static_verifier,
)

OF_KEY = Principal("key-1", TENANT, ISSUER, frozenset({"orders:read"}), NOW + 600, "api_key")


class Keys:
    """A second kind of credential, as a domain would bring it."""

    scheme = "apikey"

    def authenticate(self, value: str, *, fetch: bool = True) -> Principal:
        if value != "k-1":
            raise AuthenticationRequired("the API key is unknown")
        return OF_KEY


def bearer() -> BearerCredential:
    return BearerCredential(static_verifier(), policy_of())


@pytest.mark.parametrize("authorization", ["ApiKey k-1", "apikey k-1", "APIKEY k-1"])
def test_the_scheme_selects_the_credential(authorization: str) -> None:
    accepted = Credentials(bearer(), Keys())

    assert accepted.authenticate(authorization) is OF_KEY
    assert accepted.authenticate(f"Bearer {sign(good_claims())}").user_id == "user-1"


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param(None, id="no-header"),
        pytest.param("", id="empty"),
        pytest.param("Basic dXNlcjpwYXNz", id="a-scheme-that-is-not-accepted"),
        pytest.param("k-1", id="no-scheme"),
        pytest.param("Bearer k-1", id="an-api-key-as-a-bearer-token"),
        pytest.param("ApiKey a.b.c", id="a-token-as-an-api-key"),
        pytest.param("ApiKey", id="nothing-after-the-scheme"),
        pytest.param(" ApiKey k-1", id="a-blank-before-the-scheme"),
    ],
)
def test_a_value_is_never_checked_by_another_schemes_credential(authorization: str | None) -> None:
    with pytest.raises(Exception) as error:  # noqa: PT011  (of either credential)
        Credentials(bearer(), Keys()).authenticate(authorization)
    assert getattr(error.value, "http_status", None) == 401


def test_a_kind_that_is_not_named_is_not_accepted() -> None:
    with pytest.raises(AuthenticationRequired):
        Credentials(bearer()).authenticate("ApiKey k-1")
    with pytest.raises(AuthenticationRequired):
        Credentials(Keys()).authenticate(f"Bearer {sign(good_claims())}")
    with pytest.raises(AuthenticationRequired):
        Credentials().authenticate("Bearer a.b.c")


def test_a_credentials_own_error_passes_through() -> None:
    with pytest.raises(TokenExpired):
        Credentials(bearer()).authenticate(f"Bearer {sign(good_claims(exp=NOW - 60, iat=NOW - 600))}")


def test_two_credentials_of_one_scheme_are_an_error() -> None:
    with pytest.raises(ValueError, match="one authorization scheme"):
        Credentials(bearer(), Keys(), bearer())


def test_splits_the_header_at_its_first_blank() -> None:
    assert split_authorization("BeArEr a b") == ("bearer", "a b")
    assert split_authorization("Bearer") == ("bearer", "")


def test_the_authorizer_decides_on_every_kind_that_it_accepts() -> None:
    event = authorizer_event("http-2.0", "")
    event["headers"]["authorization"] = "ApiKey k-1"
    clock = ManualClock()

    allowed = Authorizer(Credentials(bearer(), Keys()), rules(), clock=clock).decide(event)
    assert allowed["isAuthorized"] is True
    assert (allowed["context"]["auth_method"], allowed["context"]["user_id"]) == ("api_key", "key-1")
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        Authorizer(Credentials(bearer()), rules(), clock=clock).decide(event)
