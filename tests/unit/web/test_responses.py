"""The description of a route's errors in OpenAPI."""

from __future__ import annotations

from tenantgate.errors.tokens import (
    Overloaded,
    ProviderTimeout,
    ProviderUnreachable,
    TenantMalformed,
    TenantMissing,
    TokenError,
    TokenExpired,
)
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.web.responses import error_responses


def described(*errors: type) -> dict[int | str, str]:
    return {status: response["description"] for status, response in error_responses(*errors).items()}


def test_errors_are_described_by_status_and_always_include_two() -> None:
    assert described(TokenExpired, TenantMissing, TokenError) == {
        401: "`AUTH_003` The token has expired; `AUTH_004` The token is not valid",
        403: "`AUTH_005` The token names no valid tenant",
        429: "`SYS_006` Too many requests",
        500: "`SYS_003` Something went wrong on our side",
    }


def test_classes_that_share_a_code_are_described_once() -> None:
    assert described(TenantMissing, TenantMalformed) == described(TenantMissing)


def test_a_class_with_another_status_is_described_under_it() -> None:
    statuses = described(ProviderUnreachable, ProviderTimeout)

    assert statuses.keys() == {429, 500, 502, 504}
    assert statuses[502] == statuses[504] == "`SYS_004` The identity provider can't be reached"


def test_only_limits_and_an_overloaded_server_send_retry_after() -> None:
    documented = error_responses(SecretsUnavailable, Overloaded, ProviderUnreachable)

    assert "Retry-After" in documented[503]["headers"]
    assert documented[429]["headers"].keys() == {"Retry-After", "RateLimit", "RateLimit-Policy"}
    assert all("headers" not in response for status, response in documented.items() if status not in (429, 503))
