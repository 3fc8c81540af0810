"""ID tokens, signed UserInfo responses and others that look like access tokens (RFC 8725 §3.12)."""

from __future__ import annotations

import json

import pytest

from tenantgate.errors.tokens import TokenError, WrongAudience, WrongTokenType
from tests.fixtures.tokens.issuer import AUDIENCE, NOW, NULL, good_claims, sign, static_verifier

CLIENT = "spa-client"
OTHER = "https://other.example.test"
# Claims that ID tokens and UserInfo responses may lack.
_BARE: dict[str, object] = {"aud": CLIENT, "client_id": None, "scope": None, "jti": None}


def _claims(**changes: object) -> dict[str, object]:
    return good_claims(NOW, **{**_BARE, **changes})


def _verify(claims: dict[str, object], typ: str | None = "JWT", **variables: str) -> object:
    # Without OIDC_AUDIENCE the audience is the client id.
    whole = {"oidc_audience": "", "oidc_client_id": CLIENT, **variables}
    return static_verifier(None, clock=None, **whole).verify(sign(claims, typ=typ))


PRETENDERS = [
    pytest.param(_claims(), id="id-token-of-a-refresh-without-nonce"),
    pytest.param(_claims(azp=CLIENT), id="with-azp"),
    pytest.param(_claims(client_id=CLIENT, jti="t-1", sid="s-1"), id="with-client-id-jti-and-sid"),
    pytest.param(_claims(auth_time=NOW, acr="1", amr=["pwd"]), id="with-how-the-user-signed-in"),
    pytest.param(_claims(email="jo@example.test", email_verified=True, name="Jo"), id="signed-userinfo-response"),
    pytest.param(_claims(aud=[CLIENT]), id="audience-list"),
    pytest.param(_claims(aud=[CLIENT, "other-client"], azp=CLIENT), id="two-audiences"),
    pytest.param(_claims(ver="2.0", tid="t", oid="o", preferred_username="jo"), id="entra-v2"),
    pytest.param(_claims(ver="1.0", tid="t", oid="o", upn="jo", appid=CLIENT), id="entra-v1"),
    pytest.param(_claims(token_use="id", **{"cognito:username": "jo"}), id="cognito"),
    pytest.param(_claims(typ="ID", azp=CLIENT, sid="s"), id="keycloak"),
    pytest.param(_claims(typ="id", azp=CLIENT), id="keycloak-in-lower-case"),
    pytest.param(_claims(typ="Refresh", scope="openid"), id="keycloak-refresh-token"),
    pytest.param(_claims(typ="Offline", scope="openid"), id="keycloak-offline-token"),
    pytest.param(_claims(typ="Logout", scope="openid"), id="keycloak-logout-token"),
    pytest.param(_claims(nonce="n", scope="openid"), id="nonce-and-scope"),
    pytest.param(_claims(at_hash="h", scope="openid"), id="at-hash-and-scope"),
    pytest.param(_claims(events={"http://schemas.openid.net/event/backchannel-logout": {}}), id="logout-token"),
    pytest.param(_claims(scope=""), id="empty-scope"),
    pytest.param(_claims(scp=[]), id="empty-scp"),
    pytest.param(_claims(scope=" "), id="blank-scope"),
    pytest.param(_claims(scp=["", " "]), id="scp-of-blanks"),
    pytest.param(_claims(scope=NULL, scp=NULL, token_use=NULL, typ=NULL), id="evidence-that-is-null"),
    pytest.param(_claims(scope=1), id="scope-that-is-a-number"),
    pytest.param(_claims(typ="JWT"), id="claim-typ-that-proves-nothing"),
    pytest.param(_claims(roles=["admin"], permissions=["a"]), id="roles-prove-nothing"),
]


@pytest.mark.parametrize("typ", ["JWT", None, ""])
@pytest.mark.parametrize("claims", PRETENDERS)
def test_a_token_for_the_client_must_prove_to_be_an_access_token(claims: dict[str, object], typ: str | None) -> None:
    with pytest.raises(WrongTokenType) as error:
        _verify(claims, typ)
    assert error.value.error.code == "AUTH_004"


@pytest.mark.parametrize(
    ("claims", "typ"),
    [
        pytest.param(_claims(), "at+jwt", id="rfc-9068"),
        pytest.param(_claims(), "application/AT+JWT", id="rfc-9068-in-full"),
        pytest.param(_claims(typ="JWT"), "at+jwt", id="rfc-9068-with-a-claim-that-proves-nothing"),
        pytest.param(_claims(scope="openid"), "JWT", id="scope"),
        pytest.param(_claims(scp=["openid"]), "JWT", id="scp-list"),
        pytest.param(_claims(scp="access_as_user"), None, id="entra-scp"),
        pytest.param(_claims(token_use="access"), "JWT", id="cognito"),
        pytest.param(_claims(typ="Bearer"), "JWT", id="keycloak"),
    ],
)
def test_an_access_token_for_the_client_passes(claims: dict[str, object], typ: str | None) -> None:
    assert _verify(claims, typ)


def test_the_error_names_the_missing_evidence() -> None:
    with pytest.raises(WrongTokenType, match="its audience is a client") as error:
        _verify(_claims())
    assert "at+jwt" in str(error.value.private["expected"])
    assert error.value.private["actual"] == CLIENT


def test_a_token_for_the_api_needs_no_more_than_its_audience() -> None:
    assert _verify(_claims(aud=AUDIENCE), oidc_audience=AUDIENCE)
    assert _verify(_claims(aud=AUDIENCE, azp=CLIENT), oidc_audience=AUDIENCE)


def test_an_id_token_with_a_second_audience_is_still_for_the_client() -> None:
    with pytest.raises(WrongTokenType):
        _verify(_claims(aud=[AUDIENCE, CLIENT], azp=CLIENT), oidc_audience=AUDIENCE)


class TestOtherIssuers:
    def _verify(self, claims: dict[str, object], **entry: object) -> object:
        whole = {"issuer": OTHER, "audiences": [CLIENT, "other-client"], "tenants": "*", **entry}
        variables = {"oidc_client_id": CLIENT, "trusted_issuers": json.dumps([whole])}
        return static_verifier(None, clock=None, **variables).verify(sign({**claims, "iss": OTHER}, typ="JWT"))

    def test_an_entry_with_the_login_client_among_its_audiences(self) -> None:
        with pytest.raises(WrongTokenType):
            self._verify(_claims())
        assert self._verify(_claims(scope="a"))

    def test_an_entry_may_name_its_clients(self) -> None:
        assert self._verify(_claims(aud="other-client"))
        with pytest.raises(WrongTokenType):
            self._verify(_claims(aud="other-client"), client_ids=["other-client"])

    @pytest.mark.parametrize("name", ["azp", "client_id", "cid", "appid"])
    def test_a_token_for_its_own_client_is_for_a_client(self, name: str) -> None:
        with pytest.raises(WrongTokenType):
            self._verify(_claims(aud="other-client", **{name: "other-client"}))

    def test_the_client_of_a_token_without_aud_is_its_audience(self) -> None:
        # Cognito: without `aud`, it can't be an ID token; its audience is a client only if the policy lists it.
        entry: dict[str, object] = {"audience_claims": ["client_id"]}
        assert self._verify(_claims(aud=None, client_id="other-client"), **entry)
        with pytest.raises(WrongTokenType):
            self._verify(_claims(aud=None, client_id=CLIENT), **entry)
        assert self._verify(_claims(aud=None, client_id=CLIENT, token_use="access"), **entry)

    def test_id_tokens_pass_if_the_entry_allows_them(self) -> None:
        assert self._verify(_claims(nonce="n"), allow_id_tokens=True)
        assert self._verify(_claims(typ="ID"), allow_id_tokens=True)

    def test_a_list_of_token_uses_does_not_make_id_tokens_access_tokens(self) -> None:
        with pytest.raises(WrongTokenType):
            self._verify(_claims(token_use="id"), token_use=["access", "id"])

    def test_the_exception_is_for_the_kind_and_nothing_else(self) -> None:
        with pytest.raises(WrongAudience):
            self._verify(_claims(aud="unknown"), allow_id_tokens=True)
        with pytest.raises(TokenError):
            self._verify(_claims(events={}), allow_id_tokens=True)
