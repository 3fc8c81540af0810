import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantgate.observability.redaction import (
    MASK,
    CarriedSecrets,
    carry_secrets,
    is_sensitive,
    redact,
    redact_text,
    sanitize_query,
)

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJqYW5lIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
SECRET = "Zm9vYmFyLXNlY3JldC12YWx1ZQ"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        pytest.param(f"token {JWT} refused", "eyJ", id="a-token-in-a-sentence"),
        pytest.param(f"{JWT[:30]}", JWT[:30], id="a-cut-off-token"),
        pytest.param(f"Authorization: Bearer {SECRET}", SECRET, id="an-authorization-header"),
        pytest.param(f"authorization: basic {SECRET}", SECRET, id="basic-credentials"),
        pytest.param(f"tried Bearer {SECRET} again", SECRET, id="a-bearer-scheme-in-a-sentence"),
        pytest.param(f"[(b'cookie', b'a={SECRET}; b={SECRET}x')]", SECRET, id="an-asgi-scopes-cookie"),
        pytest.param(f"{{'set-cookie': '__Host-x={SECRET}; Path=/'}}", SECRET, id="a-dictionarys-set-cookie"),
        pytest.param(f'{{"password": "{SECRET} and more"}}', SECRET, id="a-json-password-with-blanks"),
        pytest.param(f"client_secret={SECRET}&x=1", SECRET, id="a-form-secret"),
        pytest.param(f"refresh_token: {SECRET}", SECRET, id="a-refresh-token"),
        pytest.param("ValueError: password=hunter2", "hunter2", id="a-member-within-a-member"),
        pytest.param("a:b:c:password=hunter2", "hunter2", id="a-member-deep-within-members"),
        pytest.param('{"password": "hunter2', "hunter2", id="a-cut-off-string"),
        pytest.param(f"X-Api-Key={SECRET}", SECRET, id="an-api-key"),
        pytest.param(f"GET /cb?code={SECRET}&state=abc HTTP/1.1", SECRET, id="a-request-lines-code"),
        pytest.param("GET /cb?code=1&state=abcdef HTTP/1.1", "abcdef", id="a-request-lines-state"),
        pytest.param("GET /p?patient=Jane+Doe&dob=1970-01-01", "Jane", id="a-patients-name"),
        pytest.param("see https://x.example/p?mrn=123456", "123456", id="a-record-number-in-a-url"),
        pytest.param("postgresql+asyncpg://app:hunter2@db/name", "hunter2", id="a-database-password"),
        pytest.param("postgresql://app:p@ss/hunter2@db/name", "hunter2", id="a-password-with-at-and-slash"),
        pytest.param("postgresql://app:p:a?b#c@hunter2/x@db:5432/name", "hunter2", id="a-password-with-every-sign"),
        pytest.param("jdbc:postgres://a:b@hunter2@db and more", "hunter2", id="a-password-within-a-sentence"),
        pytest.param("rediss://:hunter2/@cache:6379/0", "hunter2", id="a-cache-password"),
        pytest.param("https://user:hunter2/x@proxy.example:3128", "hunter2", id="a-proxys-password-with-a-slash"),
        pytest.param("https://user:1234/hunter2@proxy.example:3128", "hunter2", id="a-proxys-password-like-a-port"),
        pytest.param("https%3A%2F%2Fuser%3Ahunter2%40proxy.example", "hunter2", id="user-info-encoded"),
        pytest.param(JWT.replace(".", "%2E"), "c2lnbmF0", id="a-token-with-encoded-dots"),
        pytest.param(JWT.replace(".", "%252e").replace("eyJ", "%65yJ"), "c2lnbmF0", id="a-token-encoded-twice"),
        pytest.param(json.dumps(json.dumps({"password": 'x "hunter2'})), "hunter2", id="json-within-json"),
        pytest.param("password%3Dhunter2%26x%3D1", "hunter2", id="a-member-encoded"),
        pytest.param("jane.doe%40example.test", "jane.doe", id="an-email-address-encoded"),
        pytest.param("https://x.example/cb#access_token=1&state=hunter2", "hunter2", id="a-fragment"),
        pytest.param("Authorization:\r\n Negotiate hunter2", "hunter2", id="a-header-that-begins-on-the-next-line"),
        pytest.param("Cookie: a=1;\r\n\tb=hunter2", "hunter2", id="a-header-over-two-lines"),
        pytest.param("proxy-authorization: Custom a b hunter2", "hunter2", id="a-header-of-several-words"),
        pytest.param("[('password', 'hunter2'), ('x', 'y')]", "hunter2", id="a-list-of-pairs-as-text"),
        pytest.param("Holder(client_secret='x y hunter2', a=1)", "hunter2", id="a-dataclass-as-text"),
        pytest.param("-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----", "MIIE", id="an-escaped-key"),
        pytest.param("-----BEGIN PGP PRIVATE KEY BLOCK-----\nMIIE", "MIIE", id="a-pgp-key"),
        pytest.param("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "MIIE", id="a-private-key"),
        pytest.param("-----BEGIN RSA PRIVATE KEY-----\nMIIE and so on", "MIIE", id="a-cut-off-private-key"),
        pytest.param("AKIAIOSFODNN7EXAMPLE", "AKIAIOS", id="an-aws-key-id"),
        pytest.param("mail jane.doe@example.test failed", "jane.doe", id="an-email-address"),
        pytest.param("ssn is 078-05-1120", "078-05", id="a-social-security-number"),
        pytest.param("A" * 20 + "b1" * 15, "b1b1", id="a-long-opaque-value"),
        pytest.param(
            "org-00000000-0000-0000-0000-000000000007.c2Vzc2lvbi1zZWNyZXQ", "c2Vzc2lv", id="a-session-cookies-value"
        ),
    ],
)
def test_masks_what_has_the_form_of_a_secret(text: str, secret: str) -> None:
    assert secret in text
    assert secret not in redact_text(text)
    assert MASK in redact_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "request completed",
        "/api/v1/auth/callback",
        "org-00000000-0000-0000-0000-000000000007",
        "the token has expired",
        "expected https://issuer.example.test, got https://issuer.example.test/",
        "listening on 127.0.0.1:8000",
        "2026-11-21T20:00:00Z",
        "status=200 duration_ms=3.5",
        "tenant=org-00000000-0000-0000-0000-000000000007",
        "https://issuer.example.test:8443/realms/a@b/keys",
        "http://127.0.0.1:3000/orders/17@2",
        "request JKJaXmPLvHcESHA= of Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e",
        "100% of 3 & 4 > 2",
    ],
)
def test_does_not_change_ordinary_text(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize(
    ("query", "sanitized"),
    [
        pytest.param("code=abc&state=def", "code=***&state=***", id="a-callback"),
        pytest.param(
            "response_type=code&scope=openid%20profile", "response_type=code&scope=openid%20profile", id="words"
        ),
        pytest.param("scope=Jane.Doe%40example.test", "scope=***", id="a-harmless-name-with-another-kind-of-value"),
        pytest.param("page=2&limit=50", "page=2&limit=50", id="numbers"),
        pytest.param("anything=1", "anything=***", id="an-unknown-name"),
        pytest.param("jane.doe@example.test=1", "***", id="a-name-that-is-a-value"),
        pytest.param("flag", "flag", id="only-a-name"),
        pytest.param("0123456789", "***", id="only-a-value"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_a_query_keeps_only_names_and_harmless_values(query: str, sanitized: str) -> None:
    assert sanitize_query(query) == sanitized


@pytest.mark.parametrize(
    "name",
    [
        "Authorization", "Set-Cookie", "password", "newPassword", "client_secret", "id_token", "X-API-Key", "code",
        "state", "patientName", "user.email", "private_key", "code_verifier",
    ],
)  # fmt: skip
def test_members_with_these_names_are_masked(name: str) -> None:
    assert is_sensitive(name)
    assert redact({name: "x"}) == {name: MASK}


@pytest.mark.parametrize("name", ["error_code", "status", "path", "token_type", "kid", "issuer", "authorization_url"])
def test_members_with_these_names_stay(name: str) -> None:
    assert redact({name: "x"}) == {name: "x"}


def test_what_the_request_carries_is_masked_wherever_it_shows_up() -> None:
    carried = CarriedSecrets(
        [
            (b"authorization", b"Basic amFuZTpodW50ZXItMg=="),
            (b"cookie", b"a=first-cookie; b=second-cookie"),
            (b"accept", b"text/html"),
        ],
        b"name=Jane%20Doe&page=1",
    )
    carried.add_body(b'{"answer": "my first pet", ')
    carried.add_body(b'"deep": [{"pin": 1234567, "password": 7654321}]}')
    carry_secrets(carried)
    try:
        text = "hunter-2 first-cookie second-cookie Jane Doe my first pet text/html 7654321"
        assert redact_text(text) == "*** *** *** *** *** text/html ***"
    finally:
        carry_secrets(None)
    assert redact_text("hunter-2") == "hunter-2"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\nfirst-secret\r\n--b\r\n\r\nsecond-secret\r\n--b--',
            id="several-parts",
        ),
        pytest.param("<a><b x='first-secret'>second-secret</b></a>", id="xml"),
        pytest.param("first-secret, second-secret", id="text"),
        pytest.param("%66irst-secret=1&x=second-secret", id="a-form-whose-names-are-values"),
        pytest.param('{"a": "first-secret", "b": second-secret}', id="broken-json"),
    ],
)
def test_each_value_of_a_body_of_any_form_is_masked(body: str) -> None:
    carried = CarriedSecrets([], b"")
    carried.add_body(body.encode())
    carry_secrets(carried)
    try:
        assert redact_text("got first-secret and second-secret") == f"got {MASK} and {MASK}"
    finally:
        carry_secrets(None)


def test_a_body_that_cant_be_parsed_is_masked_whole() -> None:
    carried = CarriedSecrets([], b"")
    carried.add_body(b'{"broken": secret')
    carry_secrets(carried)
    try:
        assert "secret" not in redact_text('could not parse {"broken": secret')
    finally:
        carry_secrets(None)


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_anything_becomes_bounded_json() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert redact(Broken()) == "<Broken>"
    assert redact({1: b"bytes", "set": {"one"}}) == {"1": "bytes", "set": ["one"]}
    assert MASK in str(redact(endless))
    assert len(str(redact("word " * 5000))) < 5000
    assert len(str(redact(list(range(1000))))) < 500


@given(st.text())
def test_masking_twice_changes_nothing(text: str) -> None:
    once = redact_text(text)
    assert redact_text(once) == once


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=80), st.text(max_size=80))
def test_a_token_is_masked_in_any_surroundings(before: str, after: str) -> None:
    assert not re.search(r"eyJ[A-Za-z0-9_-]{5,}", redact_text(f"{before}{JWT}{after}"))
