"""The provider's metadata, and the URLs built from it."""

from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from tenantgate.errors.tokens import ProviderUnreachable
from tenantgate.login.attempts.transactions import LoginTransaction
from tenantgate.login.provider.metadata import (
    ClientRegistration,
    ProviderMetadata,
    authorization_url,
    end_session_url,
    printable_error_code,
    with_query,
)

DOCUMENT: dict[str, object] = {
    "issuer": "https://idp.example",
    "authorization_endpoint": "https://idp.example/authorize",
    "token_endpoint": "https://idp.example/token",
    "end_session_endpoint": "https://idp.example/logout",
}
CLIENT = ClientRegistration("client-1", ("openid", "email"))
TRANSACTION = LoginTransaction(
    state="the-state",
    nonce="the-nonce",
    code_verifier="the-verifier",
    issuer="https://idp.example",
    redirect_uri="https://auth.example.com/api/v1/auth/callback",
    return_to="/",
    expires_at=1_800_000_600,
)


def metadata(**changes: object) -> ProviderMetadata:
    return ProviderMetadata.from_document(DOCUMENT | changes)


def test_configured_parameters_never_replace_those_of_the_protocol() -> None:
    # The settings refuse such a configuration, too.
    hostile = dict.fromkeys(
        ("state", "nonce", "redirect_uri", "code_challenge", "code_challenge_method", "response_type", "client_id"), "x"
    )
    client = ClientRegistration("client-1", ("openid",), authorize_params=hostile | {"audience": "api"})
    sent = parse_qs(urlsplit(authorization_url(metadata(), client, TRANSACTION)).query)
    assert sent["state"] == ["the-state"]
    assert sent["nonce"] == ["the-nonce"]
    assert sent["redirect_uri"] == [TRANSACTION.redirect_uri]
    assert sent["code_challenge_method"] == ["S256"]
    assert sent["response_type"] == ["code"]
    assert sent["client_id"] == ["client-1"]
    assert sent["audience"] == ["api"]


def test_the_verifier_is_never_sent_by_the_browser() -> None:
    assert "the-verifier" not in authorization_url(metadata(), CLIENT, TRANSACTION)


def test_the_resource_is_sent_only_when_set() -> None:
    assert "resource" not in parse_qs(urlsplit(authorization_url(metadata(), CLIENT, TRANSACTION)).query)
    client = ClientRegistration("client-1", ("openid",), resource="https://api.example.com")
    sent = parse_qs(urlsplit(authorization_url(metadata(), client, TRANSACTION)).query)
    assert sent["resource"] == ["https://api.example.com"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("https://a.example/x", [("state", "new")], id="no-query"),
        pytest.param("https://a.example/x?p=B2C_1", [("p", "B2C_1"), ("state", "new")], id="own-query-is-kept"),
        pytest.param("https://a.example/x?state=old&p=", [("p", ""), ("state", "new")], id="own-name-is-replaced"),
    ],
)
def test_an_endpoints_own_query_is_kept(url: str, expected: list[tuple[str, str]]) -> None:
    joined = with_query(url, {"state": "new"})
    assert parse_qsl(urlsplit(joined).query, keep_blank_values=True) == expected


@pytest.mark.parametrize("query", ["x=%20&y=a+b", "z=%E4", "flag", "a;b=1", "a=1&a=2", "p=b2c_1~in", "q=%2F:/"])
def test_an_endpoints_own_query_is_unchanged(query: str) -> None:
    assert with_query(f"https://idp.example/out?{query}", {"n": "v w"}) == f"https://idp.example/out?{query}&n=v+w"
    assert with_query(f"https://idp.example/out?%6E=1&{query}&n", {"n": "2"}) == f"https://idp.example/out?{query}&n=2"


def test_the_end_session_url_has_a_hint_only_with_a_session() -> None:
    target = "https://app.example.com/?a=b&c=d"
    hinted = end_session_url(metadata(), CLIENT, redirect_uri=target, id_token_hint="e.y.j")
    assert parse_qs(urlsplit(hinted).query) == {
        "client_id": ["client-1"],
        "post_logout_redirect_uri": [target],
        "id_token_hint": ["e.y.j"],
    }
    plain = end_session_url(metadata(), CLIENT, redirect_uri=target, id_token_hint=None)
    assert "id_token_hint" not in parse_qs(urlsplit(plain).query)
    for absent in (None, ""):
        nowhere = metadata(end_session_endpoint=absent)
        assert end_session_url(nowhere, CLIENT, redirect_uri=target, id_token_hint="e.y.j") == target


@pytest.mark.parametrize(
    ("methods", "chosen"),
    [
        pytest.param(None, "client_secret_basic", id="left-out-means-basic"),
        pytest.param(["client_secret_post", "client_secret_basic"], "client_secret_basic", id="basic-is-preferred"),
        pytest.param(["private_key_jwt", "client_secret_post"], "client_secret_post", id="post"),
        pytest.param("client_secret_post", "client_secret_basic", id="not-a-list"),
        pytest.param([], "client_secret_basic", id="empty-counts-as-left-out"),
    ],
)
def test_client_authentication(methods: object, chosen: str) -> None:
    assert metadata(token_endpoint_auth_methods_supported=methods).client_authentication == chosen


@pytest.mark.parametrize("methods", [["none"], ["private_key_jwt", "client_secret_jwt"]])
def test_a_provider_that_accepts_no_secret_is_refused(methods: list[str]) -> None:
    with pytest.raises(ProviderUnreachable, match="no client secret"):
        metadata(token_endpoint_auth_methods_supported=methods).require_sign_in()


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://idp.example/token", id="in-the-clear"),
        pytest.param("http://127.0.0.1/token", id="loopback-of-a-remote-provider"),
        pytest.param("https://user:pw@idp.example/token", id="user-info"),
        pytest.param("https://idp.example/token#x", id="fragment"),
        pytest.param("https:///token", id="no-host"),
        pytest.param("/token", id="relative"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("https://idp.example:port/", id="malformed-port"),
        pytest.param("https://idp.example/a b", id="space"),
        pytest.param("https://idp.example\\@evil.example/", id="backslash"),
        pytest.param("https://idp.exämple/", id="not-ascii"),
        pytest.param(7, id="number"),
        pytest.param(None, id="missing"),
    ],
)
def test_an_untrustworthy_endpoint_is_refused(url: object) -> None:
    with pytest.raises(ProviderUnreachable):
        metadata(token_endpoint=url).require_sign_in()


def test_only_a_loopback_provider_may_have_plain_http_endpoints() -> None:
    local = {
        name: str(url).replace("https://idp.example", "http://127.0.0.1:3000/idp") for name, url in DOCUMENT.items()
    }
    assert ProviderMetadata.from_document(local).token_endpoint == "http://127.0.0.1:3000/idp/token"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("access_denied", "access_denied"),
        ("x" * 64, "x" * 64),
        ("x" * 65, None),
        ("", None),
        ("a b", None),
        ("<b>", None),
        ("a\n", None),
        (7, None),
        (None, None),
    ],
)
def test_printable_error_codes(value: object, shown: str | None) -> None:
    assert printable_error_code(value) == shown
