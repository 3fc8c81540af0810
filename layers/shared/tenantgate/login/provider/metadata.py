"""The OpenID provider's metadata from its discovery document, and the URLs to send a browser to.

This module makes no requests; `client.py` calls the provider's endpoints.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self
from urllib.parse import unquote_plus, urlencode, urlsplit, urlunsplit

from tenantgate.errors.tokens import ProviderUnreachable
from tenantgate.login.attempts.transactions import LoginTransaction
from tenantgate.tokens.discovery import endpoint

type ClientAuthentication = Literal["client_secret_basic", "client_secret_post"]

# RFC 6749 §5.2 allows far more. Only codes of the usual form are repeated in responses and logs.
_ERROR_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class ClientRegistration:
    """The registration of this relying party at the provider, and the parameters of its requests.

    `logout_url` replaces the provider's end-session endpoint, and takes the URL to return to in the parameter
    `logout_redirect_param`.
    """

    client_id: str
    scopes: tuple[str, ...]
    resource: str | None = None
    authorize_params: Mapping[str, str] = field(default_factory=dict, repr=False)
    logout_url: str | None = None
    logout_redirect_param: str = "post_logout_redirect_uri"


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """The members of the discovery document that a sign-in needs (OpenID Connect Discovery §3, RFC 9207 §3).

    Each is checked at use, and raises `ProviderUnreachable` if it is invalid. So an invalid member that a sign-in or
    sign-out doesn't use can't stop it.
    """

    issuer: str
    _document: Mapping[str, object]
    _source: str

    @classmethod
    def from_document(cls, document: Mapping[str, object], *, source: str | None = None) -> Self:
        """Wrap a discovery document, fetched from `source`, whose `issuer` has been compared."""
        issuer = document.get("issuer")
        if not isinstance(issuer, str):
            raise ProviderUnreachable("the discovery document names no issuer")
        return cls(issuer, document, source or issuer)

    def require_sign_in(self) -> None:
        """Check the members that a sign-in needs. Raises `ProviderUnreachable`."""
        _ = self.authorization_endpoint, self.token_endpoint, self.client_authentication

    @property
    def authorization_endpoint(self) -> str:
        return self._required("authorization_endpoint")

    @property
    def token_endpoint(self) -> str:
        return self._required("token_endpoint")

    @property
    def userinfo_endpoint(self) -> str:
        return self._required("userinfo_endpoint")

    @property
    def end_session_endpoint(self) -> str | None:
        return endpoint(self._document, "end_session_endpoint", source=self._source)

    @property
    def revocation_endpoint(self) -> str | None:
        """The endpoint of RFC 7009 (RFC 8414 §2)."""
        return endpoint(self._document, "revocation_endpoint", source=self._source)

    @property
    def announces_iss(self) -> bool:
        return self._document.get("authorization_response_iss_parameter_supported") is True

    @property
    def client_authentication(self) -> ClientAuthentication:
        return self._authentication("token_endpoint")

    @property
    def revocation_authentication(self) -> ClientAuthentication:
        """The client's authentication at the revocation endpoint; that of the token endpoint without a statement."""
        is_named = isinstance(self._document.get("revocation_endpoint_auth_methods_supported"), list)
        return self._authentication("revocation_endpoint" if is_named else "token_endpoint")

    def _authentication(self, name: str) -> ClientAuthentication:
        methods = self._document.get(f"{name}_auth_methods_supported")
        # The default is client_secret_basic (OpenID Connect Discovery §3).
        if not isinstance(methods, list) or not methods or "client_secret_basic" in methods:
            return "client_secret_basic"
        if "client_secret_post" in methods:
            return "client_secret_post"
        endpoint_name = name.replace("_", " ")
        raise ProviderUnreachable(
            f"the provider's {endpoint_name} accepts no client secret",
            detail=f"The provider supports neither client_secret_basic nor client_secret_post at its {endpoint_name}.",
        )

    def _required(self, name: str) -> str:
        url = endpoint(self._document, name, source=self._source)
        if url is None:
            raise ProviderUnreachable(f"the discovery document has no {name}")
        return url


def authorization_url(provider: ProviderMetadata, client: ClientRegistration, transaction: LoginTransaction) -> str:
    """Build the authentication request (OpenID Connect Core §3.1.2.1, RFC 7636 §4.3, RFC 8707)."""
    parameters = {
        **client.authorize_params,
        # After the configured ones, which must not replace a parameter that a check relies on.
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": transaction.redirect_uri,
        "scope": " ".join(client.scopes),
        "state": transaction.state,
        "nonce": transaction.nonce,
        "code_challenge": transaction.code_challenge,
        "code_challenge_method": "S256",
    }
    if client.resource is not None:
        parameters["resource"] = client.resource
    return with_query(provider.authorization_endpoint, parameters)


def stated_logout_url(client: ClientRegistration, *, redirect_uri: str) -> str | None:
    """Build the URL of the configured page that ends the provider's session; None without one.

    It gets only the client id and the URL to return to. An ID token is sent only to a specified end-session endpoint.
    """
    if client.logout_url is None:
        return None
    return with_query(client.logout_url, {"client_id": client.client_id, client.logout_redirect_param: redirect_uri})


def end_session_url(
    provider: ProviderMetadata, client: ClientRegistration, *, redirect_uri: str, id_token_hint: str | None
) -> str:
    """Build the URL that ends the provider's session (OpenID Connect RP-Initiated Logout §2).

    For a provider without an end-session endpoint it is `redirect_uri` itself.
    """
    url = provider.end_session_endpoint
    if url is None:
        return redirect_uri
    parameters = {"client_id": client.client_id, "post_logout_redirect_uri": redirect_uri}
    if id_token_hint is not None:
        parameters["id_token_hint"] = id_token_hint
    return with_query(url, parameters)


def with_query(url: str, parameters: Mapping[str, str]) -> str:
    """Add parameters to `url`, keeping its other ones (RFC 6749 §3.1)."""
    parts = urlsplit(url)
    # Unchanged: a provider may distinguish `%20` from `+`, and `?x` from `?x=`.
    own = [pair for pair in parts.query.split("&") if pair and unquote_plus(pair.partition("=")[0]) not in parameters]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "&".join([*own, urlencode(parameters)]), ""))


def printable_error_code(value: object) -> str | None:
    """Return a provider's error code if a response and a log can repeat it, otherwise None."""
    return value if isinstance(value, str) and _ERROR_CODE.match(value) else None
