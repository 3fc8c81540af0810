"""The verifier: accepted tokens, its memo, several issuers, and the conformance suite's cases of a missing kid."""

from __future__ import annotations

import json
import threading

import pytest

from tenantgate.errors.tokens import (
    AlgorithmNotAllowed,
    MissingClaim,
    NotYetValid,
    TokenError,
    TokenExpired,
    UnknownKey,
    WrongAudience,
    WrongIssuer,
    WrongTokenType,
)
from tenantgate.tokens.verifier import MEMO_SIZE, TokenVerifier
from tests.fixtures.tokens.issuer import (
    ALGORITHM_KEYS,
    AUDIENCE,
    ISSUER,
    NOW,
    TENANT,
    ManualClock,
    good_claims,
    policy_of,
    public_jwk,
    public_jwks,
    sign,
    sign_raw,
    static_keys,
    static_verifier,
)


@pytest.mark.parametrize("alg", ALGORITHM_KEYS)
def test_accepts_each_algorithm_and_returns_the_claims(alg: str) -> None:
    verified = static_verifier().verify(sign(good_claims(), alg))
    assert verified == (
        ISSUER,
        "user-1",
        NOW - 10,
        NOW + 600,
        frozenset({"orders:read", "orders:write"}),
        good_claims(),
        "token-1",
        ALGORITHM_KEYS[alg],
    )


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"aud": [AUDIENCE]}, id="aud-list"),
        pytest.param({"aud": ["other", AUDIENCE]}, id="aud-list-of-two"),
        pytest.param({"nbf": NOW + 60}, id="nbf-within-the-leeway"),
        pytest.param({"iat": NOW + 60}, id="iat-within-the-leeway"),
        pytest.param({"iat": NOW - 3000, "exp": NOW - 59}, id="exp-within-the-leeway"),
        pytest.param({"iat": NOW, "exp": NOW + 3600}, id="longest-life"),
        pytest.param({"jti": None}, id="no-jti"),
        pytest.param({"scope": None}, id="no-scope"),
        pytest.param({"token_use": "access"}, id="token-use-access"),
        pytest.param({"typ": "Bearer"}, id="keycloaks-typ-claim"),
        pytest.param({"sub": "ユーザー|1"}, id="sub-beyond-ascii"),
        pytest.param({"deep": {"a": [{"b": {"c": 1.5}}]}}, id="nested-claims"),
    ],
)
def test_accepts_values_within_their_limits(changes: dict[str, object]) -> None:
    assert static_verifier().verify(sign(good_claims(**changes)))  # type: ignore[arg-type]


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "JWT", "jwt", None])
def test_accepts_the_types_of_access_tokens_in_any_case(typ: str | None) -> None:
    assert static_verifier().verify(sign(good_claims(), typ=typ))


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        pytest.param({"scope": "a b  a"}, {"a", "b"}, id="text"),
        pytest.param({"scope": ["a", "b c", ""]}, {"a"}, id="list-without-blanks"),
        pytest.param({"scope": None, "scp": ["a"]}, {"a"}, id="scp"),
        pytest.param({"scope": "a", "scp": "b"}, {"a", "b"}, id="both"),
        pytest.param({"scope": ""}, set(), id="empty"),
    ],
)
def test_reads_scopes(claims: dict[str, object], scopes: set[str]) -> None:
    assert static_verifier().verify(sign(good_claims(**claims))).scopes == scopes  # type: ignore[arg-type]


def test_claims_are_read_only_because_callers_share_them() -> None:
    verified = static_verifier().verify(sign(good_claims()))
    with pytest.raises(TypeError):
        verified.claims["tenant_id"] = "org-other"  # type: ignore[index]


class TestMemo:
    def test_a_remembered_token_is_not_verified_again(self) -> None:
        verifier = static_verifier()
        token = sign(good_claims())
        assert verifier.verify(token) is verifier.verify(token)

    def test_a_remembered_token_expires_to_the_second(self) -> None:
        clock = ManualClock()
        verifier = static_verifier(clock=clock)
        token = sign(good_claims())
        verifier.verify(token)
        clock.now = NOW + 600 + 59.999
        verifier.verify(token)
        clock.now = NOW + 600 + 60
        with pytest.raises(TokenExpired):
            verifier.verify(token)

    def test_a_remembered_token_is_not_valid_before_its_time_when_the_clock_is_set_back(self) -> None:
        clock = ManualClock()
        verifier = static_verifier(clock=clock)
        token = sign(good_claims(nbf=NOW))
        verifier.verify(token)
        clock.now = NOW - 61
        with pytest.raises(NotYetValid):
            verifier.verify(token)

    def test_a_changed_token_is_rejected_after_a_valid_one(self) -> None:
        verifier = static_verifier()
        token = sign(good_claims())
        verifier.verify(token)
        for position in (5, len(token) // 2, len(token) - 5):
            changed = token[:position] + ("A" if token[position] != "A" else "B") + token[position + 1 :]
            with pytest.raises(TokenError):
                verifier.verify(changed)

    def test_an_expired_token_accepted_for_signing_out_is_not_remembered(self) -> None:
        verifier = static_verifier()
        token = sign(good_claims(iat=NOW - 3000, exp=NOW - 600))
        assert verifier.verify(token, allow_expired=True).subject == "user-1"
        with pytest.raises(TokenExpired):
            verifier.verify(token)

    def test_it_is_bounded(self) -> None:
        verifier = static_verifier()
        for number in range(2 * MEMO_SIZE + 10):
            verifier.verify(sign(good_claims(jti=str(number)), "EdDSA"))
        held = len(verifier._memo) + len(verifier._older_memo)
        assert MEMO_SIZE <= held <= 2 * MEMO_SIZE

    def test_threads_may_share_it(self) -> None:
        verifier = static_verifier()
        tokens = [sign(good_claims(jti=str(number)), "EdDSA") for number in range(20)]
        wrong: list[object] = []

        def work() -> None:
            for _ in range(50):
                wrong.extend(n for n, token in enumerate(tokens) if verifier.verify(token).token_id != str(n))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


def test_signing_out_allows_only_an_expired_token() -> None:
    verifier = static_verifier()
    with pytest.raises(WrongAudience):
        verifier.verify(sign(good_claims(iat=NOW - 3000, exp=NOW - 600, aud="other")), allow_expired=True)


def test_an_expired_token_with_another_fault_is_not_called_expired() -> None:
    with pytest.raises(WrongAudience):
        static_verifier().verify(sign(good_claims(iat=NOW - 3000, exp=NOW - 600, aud="other")))


def test_kid_absent_single_jwks() -> None:
    verifier = static_verifier(public_jwks("rsa-1", "p256-1"))
    assert verifier.verify(sign_raw('{"alg":"RS256"}', json.dumps(good_claims())))


def test_kid_absent_multiple_jwks() -> None:
    with pytest.raises(UnknownKey):
        static_verifier(public_jwks("rsa-1", "rsa-2")).verify(sign_raw('{"alg":"RS256"}', json.dumps(good_claims())))


OTHER_ISSUER = "https://other.example.test"


def _two_issuers(**entry: object) -> TokenVerifier:
    whole = {"issuer": OTHER_ISSUER, "audiences": ["other-api"], "tenants": [TENANT], **entry}
    return static_verifier(trusted_issuers=json.dumps([whole]))


class TestSeveralIssuers:
    def test_each_with_its_own_audience(self) -> None:
        verifier = _two_issuers()
        assert verifier.verify(sign(good_claims())).issuer == ISSUER
        assert verifier.verify(sign(good_claims(iss=OTHER_ISSUER, aud="other-api"))).issuer == OTHER_ISSUER
        for issuer, audience in ((ISSUER, "other-api"), (OTHER_ISSUER, AUDIENCE)):
            with pytest.raises(WrongAudience):
                verifier.verify(sign(good_claims(iss=issuer, aud=audience)))

    def test_each_with_its_own_algorithms(self) -> None:
        verifier = _two_issuers(algorithms=["ES256"])
        claims = good_claims(iss=OTHER_ISSUER, aud="other-api")
        assert verifier.verify(sign(claims, "ES256"))
        assert verifier.verify(sign(good_claims(), "RS256"))
        with pytest.raises(AlgorithmNotAllowed):
            verifier.verify(sign(claims, "RS256"))

    def test_each_with_its_own_keys(self) -> None:
        clock = ManualClock()
        policy = policy_of(
            trusted_issuers=json.dumps([{"issuer": OTHER_ISSUER, "audiences": [AUDIENCE], "tenants": "*"}])
        )

        class Keys:
            first = static_keys(public_jwks("rsa-1"), clock=clock, issuers=(ISSUER,))
            second = static_keys(public_jwks("rsa-2"), clock=clock, issuers=(OTHER_ISSUER,))

            def of(self, issuer: str) -> object:
                return (self.first if issuer == ISSUER else self.second).of(issuer)

        verifier = TokenVerifier(policy, Keys(), clock=clock)  # type: ignore[arg-type]
        assert verifier.verify(sign(good_claims(), kid="rsa-1"))
        assert verifier.verify(sign(good_claims(iss=OTHER_ISSUER), kid="rsa-2"))
        with pytest.raises(UnknownKey):
            # A key of the second issuer says nothing for the first one.
            verifier.verify(sign(good_claims(), kid="rsa-2"))

    def test_an_issuer_may_require_the_type_of_rfc_9068(self) -> None:
        verifier = _two_issuers(token_types=["at+jwt"])
        claims = good_claims(iss=OTHER_ISSUER, aud="other-api")
        assert verifier.verify(sign(claims, typ="at+jwt"))
        for typ in ("JWT", None):
            with pytest.raises(WrongTokenType):
                verifier.verify(sign(claims, typ=typ))

    def test_a_claim_may_be_mapped_to_the_user_id(self) -> None:
        verifier = _two_issuers(claims={"user_id": "oid", "scope": ["roles"]}, scopes="*")
        claims = good_claims(iss=OTHER_ISSUER, aud="other-api", oid="object-1", roles=["reader"])
        verified = verifier.verify(sign(claims))
        assert (verified.subject, verified.scopes) == ("object-1", frozenset({"reader"}))
        with pytest.raises(MissingClaim):
            verifier.verify(sign(good_claims(iss=OTHER_ISSUER, aud="other-api")))

    def test_id_tokens_pass_only_where_the_entry_says_so(self) -> None:
        claims = good_claims(iss=OTHER_ISSUER, aud="other-api", nonce="n")
        assert _two_issuers(allow_id_tokens=True).verify(sign(claims))
        with pytest.raises(WrongTokenType):
            _two_issuers().verify(sign(claims))


class TestCognito:
    """Access tokens of Amazon Cognito carry `client_id` and `token_use`, and no `aud`."""

    CLAIMS = good_claims(iss=OTHER_ISSUER, aud=None, client_id="app-1", token_use="access", username="jo")

    def test_the_audience_may_be_the_client_id(self) -> None:
        verifier = _two_issuers(audiences=["app-1"], audience_claims=["client_id"])
        assert verifier.verify(sign(self.CLAIMS))
        with pytest.raises(WrongAudience):
            verifier.verify(sign({**self.CLAIMS, "client_id": "app-2"}))
        with pytest.raises(MissingClaim):
            verifier.verify(sign({name: value for name, value in self.CLAIMS.items() if name != "client_id"}))

    def test_a_present_aud_must_still_name_this_api(self) -> None:
        verifier = _two_issuers(audiences=["app-1"], audience_claims=["client_id"])
        with pytest.raises(WrongAudience):
            verifier.verify(sign({**self.CLAIMS, "aud": "another-api"}))

    def test_other_issuers_still_need_aud(self) -> None:
        verifier = _two_issuers(audiences=["app-1"], audience_claims=["client_id"])
        with pytest.raises(MissingClaim):
            verifier.verify(sign({**self.CLAIMS, "iss": ISSUER}))

    def test_an_id_token_is_refused_by_its_token_use(self) -> None:
        verifier = _two_issuers(audiences=["app-1"], audience_claims=["client_id", "aud"])
        with pytest.raises(WrongTokenType):
            verifier.verify(sign(good_claims(iss=OTHER_ISSUER, aud="app-1", token_use="id")))


def test_an_untrusted_issuer_is_refused_before_any_key_is_looked_up() -> None:
    class NoKeys:
        def of(self, issuer: str) -> NoKeys:
            return self

        def __getattr__(self, name: str) -> object:
            raise AssertionError(f"{name} was used")

    verifier = TokenVerifier(policy_of(), NoKeys(), clock=ManualClock())  # type: ignore[arg-type]
    with pytest.raises(WrongIssuer):
        verifier.verify(sign(good_claims(iss="https://evil.example.test")))


def test_a_jwk_that_publishes_the_same_kid_twice_is_tried_by_algorithm() -> None:
    jwks = {"keys": [public_jwk(kid) | {"kid": "same"} for kid in ("rsa-1", "p256-1")]}
    verifier = static_verifier(jwks)
    for alg in ("RS256", "ES256"):
        header = json.dumps({"alg": alg, "kid": "same"})
        assert verifier.verify(sign_raw(header, json.dumps(good_claims()), alg))
