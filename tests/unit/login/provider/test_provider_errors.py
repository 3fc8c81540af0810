"""The words that users and operators read when the provider returns an error."""

import pytest

from tenantgate.login.errors import SYS_012
from tenantgate.login.provider.provider_errors import refuses_client, returned_error, token_endpoint_remedy

CANCELLED = (
    "The sign-in was cancelled",
    "You cancelled it at the provider, or the provider didn't give you access. You are not signed in.",
    "Sign in again. If you didn't cancel, ask the provider's administrator for access to this application.",
)
INTERACTION = (
    "The provider needs to ask you something first",
    (
        "The request allowed the provider no page (`prompt=none`), but you have to sign in, choose an account or give "
        "your consent."
    ),
    "Operators: remove `prompt` from `OIDC_AUTHORIZE_PARAMS`.",
)
REQUEST = (
    "The provider refused the sign-in request",
    "The settings of this application don't match its registration at the provider.",
)
TROUBLE = (
    "The provider has a problem",
    "The provider reported an internal error, or that it is temporarily unavailable.",
    "Try again in a few minutes.",
)
UNKNOWN = (
    "The provider ended the sign-in with an error",
    "The provider returned an error that OAuth and OpenID Connect don't define.",
    "Start again. Operators: look up `provider_error` of `detail` in the provider's documentation.",
)
PARAMETERS = "Compare OIDC_AUTHORIZE_PARAMS and OIDC_REDIRECT_URI with the client registered at the provider."
SCOPES = "Compare OIDC_SCOPES with the scopes that the provider grants this client."
RESOURCE = "Register OIDC_RESOURCE at the provider as a resource that this client may request."


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("access_denied", CANCELLED),
        ("login_required", INTERACTION),
        ("interaction_required", INTERACTION),
        ("consent_required", INTERACTION),
        ("account_selection_required", INTERACTION),
        ("server_error", TROUBLE),
        ("temporarily_unavailable", TROUBLE),
        ("invalid_request", (*REQUEST, PARAMETERS)),
        (
            "unauthorized_client",
            (*REQUEST, "Allow the authorization code grant for the client OIDC_CLIENT_ID at the provider."),
        ),
        (
            "unsupported_response_type",
            (*REQUEST, "Allow the response type `code` for the client OIDC_CLIENT_ID at the provider."),
        ),
        ("invalid_scope", (*REQUEST, SCOPES)),
        ("invalid_target", (*REQUEST, RESOURCE)),
        ("invalid_request_uri", (*REQUEST, PARAMETERS)),
        ("invalid_request_object", (*REQUEST, PARAMETERS)),
        ("request_not_supported", (*REQUEST, PARAMETERS)),
        ("request_uri_not_supported", (*REQUEST, PARAMETERS)),
        ("registration_not_supported", (*REQUEST, PARAMETERS)),
        ("unknown", UNKNOWN),
        ("of_its_own", UNKNOWN),
    ],
)
def test_an_error_of_the_authorization_endpoint(code: str, words: tuple[str, str, str]) -> None:
    error = returned_error(code, description=None)

    assert (error.error.code, error.http_status) == ("AUTH_001", 400)
    assert isinstance(error.detail, dict)
    remedy = error.detail.get("remedy", error.error.remedy)
    assert (error.error.message, error.error.cause, remedy) == words


def test_the_description_is_for_the_user_and_for_the_log() -> None:
    error = returned_error("access_denied", description="The user declined.")

    assert error.detail == {"provider_error": "access_denied", "description": "The user declined."}
    assert error.private == {"provider_error": "access_denied", "description": "The user declined."}


CLIENT = (
    "Compare OIDC_CLIENT_ID and OIDC_CLIENT_SECRET with the client registered at the provider. On AWS the client "
    "secret is in Secrets Manager, in the secret that AWS_SECRETS_MANAGER_SECRET_ID names."
)
GRANT = (
    "Allow the authorization code grant for the client OIDC_CLIENT_ID at the provider. Some providers also return this "
    "error when OIDC_CLIENT_SECRET is wrong: it is an environment variable, or in Secrets Manager on AWS."
)


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("invalid_client", CLIENT),
        ("access_denied", CLIENT),
        ("unauthorized_client", GRANT),
        ("unsupported_grant_type", GRANT),
        (
            "invalid_request",
            (
                "See the provider's log for the reason. Compare OIDC_CLIENT_ID, OIDC_CLIENT_SECRET and "
                "OIDC_REDIRECT_URI with the client registered at the provider."
            ),
        ),
        ("invalid_scope", SCOPES),
        ("invalid_target", RESOURCE),
        ("of_its_own", "See the provider's log for the reason."),
    ],
)
def test_an_error_of_the_token_endpoint(code: str, remedy: str) -> None:
    assert token_endpoint_remedy(code) == remedy


def test_a_refused_client_has_its_own_code() -> None:
    assert (SYS_012.code, SYS_012.status) == ("SYS_012", 502)
    assert SYS_012.message == "The identity provider refused our client"
    assert SYS_012.cause == (
        "The provider's token endpoint rejected this application, not the user: the client id or the client secret is "
        "wrong, or the client may not use this grant, scope or resource."
    )
    assert SYS_012.remedy == (
        "Operators: compare `OIDC_CLIENT_ID` and `OIDC_CLIENT_SECRET` with the client that is registered at the "
        "provider. On AWS the client secret is in Secrets Manager (`AWS_SECRETS_MANAGER_SECRET_ID`). `detail` names "
        "the setting, and the log has the provider's description."
    )


@pytest.mark.parametrize(
    ("status", "code", "refused"),
    [
        (401, "invalid_client", True),
        (400, "invalid_client", True),
        (200, "invalid_client", True),
        (401, "unauthorized_client", True),
        (401, "access_denied", True),
        (400, "unauthorized_client", False),
        (403, "access_denied", False),
        (401, "invalid_grant", False),
    ],
)
def test_only_a_rejection_of_the_credentials_leaves_the_code_unused(status: int, code: str, refused: bool) -> None:
    assert refuses_client(status, code) is refused
