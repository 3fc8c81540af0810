"""The names in the decision log for each error and each reason: alarms and dashboards depend on them."""

from __future__ import annotations

import pytest

from tenantgate.authorizer import decision_log
from tenantgate.errors import access, tokens
from tenantgate.errors.base import TenantgateError
from tenantgate.errors.cache import CacheUnavailable


@pytest.mark.parametrize(
    ("error", "check"),
    [
        (access.AuthenticationRequired(""), "credential"),
        (tokens.MalformedToken(""), "form"),
        (tokens.UnsupportedHeader(""), "header"),
        (tokens.WrongIssuer(""), "issuer"),
        (tokens.AlgorithmNotAllowed(""), "algorithm"),
        (tokens.UnknownKey(""), "key"),
        (tokens.ProviderUnreachable(""), "key"),
        (tokens.ProviderTimeout(""), "key"),
        (tokens.InvalidSignature(""), "signature"),
        (tokens.WrongTokenType(""), "type"),
        (tokens.IssuedInFuture(""), "issued at"),
        (tokens.LifetimeTooLong(""), "lifetime"),
        (tokens.NotYetValid(""), "not before"),
        (tokens.WrongAudience(""), "audience"),
        (tokens.MissingClaim("", claim="sub"), "claim sub"),
        (tokens.InvalidClaim("", claim="iat"), "claim iat"),
        (tokens.InvalidClaim(""), "claim"),
        (tokens.TokenExpired("", claim="exp"), "expiry"),
        (tokens.TenantMissing(""), "tenant"),
        (tokens.TenantMalformed(""), "tenant"),
        (tokens.TenantNotAllowed(""), "tenant"),
        (access.SessionEnded(""), "session"),
        (access.CrossSiteRequest(""), "origin"),
        (access.CsrfTokenMissing(""), "CSRF token"),
        (access.CsrfTokenWrong(""), "CSRF token"),
        (CacheUnavailable(""), "session"),
        (tokens.Overloaded("", retry_after=1), "other"),
    ],
)
def test_each_error_names_its_check(error: TenantgateError, check: str) -> None:
    assert decision_log.check_of(error) == check


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("no_rule", "AUTH_010"),
        ("ambiguous_path", "AUTH_010"),
        ("issuer_not_allowed", "AUTH_010"),
        ("missing_scope", "AUTH_010"),
        ("missing_any_scope", "AUTH_010"),
        ("missing_role", "AUTH_010"),
        ("acr_too_weak", "AUTH_011"),
        ("authentication_too_old", "AUTH_011"),
        ("authentication_time_unknown", "AUTH_011"),
    ],
)
def test_each_reason_of_the_rules_has_its_code(reason: str, code: str) -> None:
    assert decision_log.RULE_REASONS[reason].code == code
