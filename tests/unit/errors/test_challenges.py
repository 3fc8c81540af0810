"""The `WWW-Authenticate` challenge that each class of error states (RFC 6750 §3, RFC 9470 §3)."""

from __future__ import annotations

import pytest

from tenantgate.errors.access import AuthenticationRequired, InsufficientScope, SessionEnded, StepUpRequired
from tenantgate.errors.base import TenantgateError
from tenantgate.errors.tokens import InvalidSignature, TenantMissing, TokenExpired
from tenantgate_cli.checks.registry import errors


@pytest.mark.parametrize("kind", errors(), ids=lambda kind: kind.__name__)
def test_a_401_and_a_missing_scope_have_a_challenge_and_no_other_error_has(kind: type[TenantgateError]) -> None:
    status = kind.status or kind.error.status

    assert (kind.challenge_error is not None) is (status == 401 or kind is InsufficientScope)


_INVALID_TOKEN = ', error="invalid_token", error_description="The token '


@pytest.mark.parametrize(
    ("error", "challenge"),
    [
        pytest.param(AuthenticationRequired(), "", id="no-credential"),
        pytest.param(SessionEnded(), "", id="session-ended"),
        pytest.param(TokenExpired(), f'{_INVALID_TOKEN}has expired"', id="expired"),
        pytest.param(InvalidSignature("private", kid="k"), f'{_INVALID_TOKEN}is not valid"', id="signature"),
        pytest.param(
            InsufficientScope(),
            ', error="insufficient_scope", error_description="The credential doesn\'t allow this"',
            id="role",
        ),
        pytest.param(
            InsufficientScope(scope="a b"),
            ', error="insufficient_scope", error_description="The credential doesn\'t allow this", scope="a b"',
            id="scope",
        ),
        pytest.param(
            StepUpRequired(acr_values="mfa", max_age=0),
            ', error="insufficient_user_authentication", '
            'error_description="A stronger or more recent sign-in is required", acr_values="mfa", max_age="0"',
            id="step-up",
        ),
        pytest.param(
            StepUpRequired(),
            ', error="insufficient_user_authentication", '
            'error_description="A stronger or more recent sign-in is required"',
            id="step-up-without-parameters",
        ),
    ],
)
def test_challenge(error: TenantgateError, challenge: str) -> None:
    assert error.challenge == f'Bearer realm="tenantgate"{challenge}'


def test_a_token_without_a_tenant_is_not_an_invalid_token() -> None:
    assert TenantMissing().challenge is None
