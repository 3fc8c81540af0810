"""The variables that session cookies need."""

from __future__ import annotations

import pytest

from tenantgate.authorizer.cookie_environment import allowed_origins, cookie_callers
from tenantgate.authorizer.environment import cookie_caller
from tenantgate.authorizer.events import read_event
from tenantgate.errors.access import AuthenticationRequired
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.identity.session_cookie import SESSION_COOKIE
from tenantgate.identity.session_entry import SESSION_SECRETS
from tests.fixtures.authorizer.sessions import cookie_event
from tests.fixtures.tokens.issuer import TENANT


@pytest.mark.parametrize(
    ("values", "origins"),
    [
        pytest.param({}, set(), id="none"),
        pytest.param({"PUBLIC_BASE_URL": "https://a.test"}, {"https://a.test"}, id="own"),
        pytest.param(
            {"PUBLIC_BASE_URL": "HTTPS://A.test:443/", "ALLOWED_ORIGINS": " https://b.test ,http://localhost:3000,"},
            {"https://a.test", "https://b.test", "http://localhost:3000"},
            id="in-their-serialized-form",
        ),
        pytest.param({"ALLOWED_ORIGINS": "*, null, b.test, https://c.test/path"}, set(), id="invalid-ones"),
    ],
)
def test_the_origins_are_those_of_the_web_functions(values: dict[str, str], origins: set[str]) -> None:
    assert allowed_origins(values) == origins


@pytest.mark.parametrize("url", ["", " "])
def test_without_valkey_every_session_cookie_is_rejected(url: str) -> None:
    find = cookie_caller({"REDIS_URL": url})
    assert find(read_event(cookie_event("http-2.0", "theme=dark"))) is None
    with pytest.raises(AuthenticationRequired, match="only if REDIS_URL is set"):
        find(read_event(cookie_event("http-2.0", f"{SESSION_COOKIE}=x")))


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"REDIS_URL": "http://valkey.test"}, id="another-scheme"),
        pytest.param({"REDIS_URL": "redis://u:secret@valkey.test"}, id="plain-in-production"),
        pytest.param({"REDIS_URL": "redis://u:secret@valkey.test", "REDIS_TLS": "encrypted"}, id="not-encrypted"),
    ],
)
def test_an_address_that_cannot_be_used_is_no_reason_for_a_401(values: dict[str, str]) -> None:
    with pytest.raises(CacheUnavailable) as refused:
        cookie_callers(values)
    assert "secret" not in f"{refused.value} {refused.value.private}"


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"ENVIRONMENT": "Development"}, id="development"),
        pytest.param({"REDIS_TLS": "private-network"}, id="a-private-network"),
    ],
)
def test_a_plain_address_is_used_where_it_may_be(values: dict[str, str]) -> None:
    callers = cookie_callers(values | {"REDIS_URL": "redis://nothing.invalid"})
    event = read_event(cookie_event("http-2.0", "a=1"))
    with pytest.raises(CacheUnavailable, match="can't be reached"):
        callers.principal(event, SESSION_SECRETS.issue(TENANT).text)
