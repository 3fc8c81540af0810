"""The variables that session cookies need."""

from __future__ import annotations

import pytest

from tenantgate.authorizer.cookie_environment import allowed_origins, cookie_callers
from tenantgate.authorizer.environment import cookie_caller, late_valkey
from tenantgate.authorizer.events import read_event
from tenantgate.authorizer.valkey import valkey
from tenantgate.errors.access import AuthenticationRequired, CrossSiteRequest
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.identity.session_cookie import SESSION_COOKIE
from tenantgate.identity.session_entry import SESSION_SECRETS
from tests.fixtures.authorizer.sessions import cookie_event, with_method
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
    find = cookie_caller({}, valkey=late_valkey({"REDIS_URL": url}))
    assert find(read_event(cookie_event("http-2.0", "theme=dark"))) is None
    with pytest.raises(AuthenticationRequired, match="only if REDIS_URL is set"):
        find(read_event(cookie_event("http-2.0", f"{SESSION_COOKIE}=x")))


def test_the_sessions_are_those_of_the_connection() -> None:
    callers = cookie_callers({}, valkey({"REDIS_URL": "redis://nothing.invalid", "REDIS_TLS": "private-network"}))
    event = read_event(cookie_event("http-2.0", "a=1"))
    with pytest.raises(CacheUnavailable, match="can't be reached"):
        callers.principal(event, SESSION_SECRETS.issue(TENANT).text)


API = "a1b2c3d4e5"
OWN = f"https://{API}.execute-api.eu-central-1.amazonaws.com"
BY_CONTEXT = {"AWS_REGION": "eu-central-1", "REDIS_URL": "redis://nothing.invalid", "REDIS_TLS": "private-network"}


@pytest.mark.parametrize(
    ("variables", "name", "origin", "allowed"),
    [
        pytest.param({}, OWN, OWN, True, id="own-page"),
        pytest.param({}, OWN, "https://b2.execute-api.eu-central-1.amazonaws.com", False, id="page-of-another-api"),
        pytest.param({}, "https://app.example", "https://app.example", False, id="custom-domain"),
        pytest.param({"AWS_REGION": "us-east-1"}, OWN, OWN, False, id="foreign-region"),
        pytest.param({"PUBLIC_BASE_URL": "https://a.test"}, OWN, OWN, False, id="not-with-a-base-url"),
    ],
)
def test_without_a_base_url_pages_of_the_apis_own_address_may_make_changes(
    variables: dict[str, str], name: str, origin: str, allowed: bool
) -> None:
    event = with_method(cookie_event("http-2.0", "a=1", origin=origin), "POST", "/orders")
    event["requestContext"] |= {"apiId": API, "domainName": name.removeprefix("https://")}
    event["headers"] |= {"host": "evil.example", "x-forwarded-host": "evil.example"}
    callers = cookie_callers(BY_CONTEXT | variables, valkey(BY_CONTEXT))

    # Only an own page gets as far as the session.
    with pytest.raises(CacheUnavailable if allowed else CrossSiteRequest):
        callers.principal(read_event(event), SESSION_SECRETS.issue(TENANT).text)
