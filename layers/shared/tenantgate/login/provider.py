"""The OpenID provider as its discovery document describes it, and the URLs that a browser is sent to.

No request is made here: see `client.py` for the endpoints that we call ourselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from tenantgate.errors import ProviderUnreachable
from tenantgate.login.transactions import LoginTransaction

type ClientAuthentication = Literal["client_secret_basic", "client_secret_post"]

# RFC 6749 §5.2 allows far more; what the codes in use look like is all that is repeated to anyone.
_ERROR_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,64}\Z")
_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class ClientRegistration:
    """What this relying party is at the provider, and what it asks for."""

    client_id: str
    scopes: tuple[str, ...]
    resource: str | None = None
    authorize_params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """The members of the discovery document that a sign-in needs (OpenID Connect Discovery §3, RFC 9207 §3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    client_authentication: ClientAuthentication
    announces_iss: bool

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> Self:
        """Read a discovery document whose `issuer` was compared already; raises `ProviderUnreachable` for nonsense."""
        issuer = document.get("issuer")
        if not isinstance(issuer, str):
            raise ProviderUnreachable("the discovery document names no issuer")
        return cls(
            issuer=issuer,
            authorization_endpoint=_required(document, "authorization_endpoint", issuer),
            token_endpoint=_required(document, "token_endpoint", issuer),
            userinfo_endpoint=_endpoint(document, "userinfo_endpoint", issuer),
            end_session_endpoint=_endpoint(document, "end_session_endpoint", issuer),
            client_authentication=_client_authentication(document),
            announces_iss=document.get("authorization_response_iss_parameter_supported") is True,
        )


def authorization_url(provider: ProviderMetadata, client: ClientRegistration, transaction: LoginTransaction) -> str:
    """The authentication request (OpenID Connect Core §3.1.2.1) with PKCE (RFC 7636 §4.3), `resource` (RFC 8707)."""
    parameters = {
        **client.authorize_params,
        # After the configured ones: what a check of ours relies on can't be replaced.
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


def end_session_url(
    provider: ProviderMetadata, client: ClientRegistration, *, redirect_uri: str, id_token_hint: str | None
) -> str:
    """Where the browser goes to end the provider's session too (OpenID Connect RP-Initiated Logout §2).

    A provider without an end-session endpoint leaves nothing to visit: the redirect URI itself.
    """
    if provider.end_session_endpoint is None:
        return redirect_uri
    parameters = {"client_id": client.client_id, "post_logout_redirect_uri": redirect_uri}
    if id_token_hint is not None:
        parameters["id_token_hint"] = id_token_hint
    return with_query(provider.end_session_endpoint, parameters)


def with_query(url: str, parameters: Mapping[str, str]) -> str:
    """`url` with these parameters, keeping others of its own (RFC 6749 §3.1)."""
    parts = urlsplit(url)
    own = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in parameters]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode([*own, *parameters.items()]), ""))


def printable_error_code(value: object) -> str | None:
    """A provider's error code in a form fit for answers and logs, else None."""
    return value if isinstance(value, str) and _ERROR_CODE.match(value) else None


def _required(document: Mapping[str, object], name: str, issuer: str) -> str:
    url = _endpoint(document, name, issuer)
    if url is None:
        raise ProviderUnreachable(f"the discovery document has no {name}")
    return url


def _endpoint(document: Mapping[str, object], name: str, issuer: str) -> str | None:
    url = document.get(name)
    if url is None:
        return None
    if not isinstance(url, str) or not _is_acceptable(url, issuer):
        raise ProviderUnreachable(f"the discovery document's {name} is not a usable URL", actual=str(url)[:200])
    return url


def _is_acceptable(url: str, issuer: str) -> bool:
    # Codes and the client secret go there: never in the clear, but from one loopback server to another.
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port
        issuer_parts = urlsplit(issuer)
    except ValueError:
        return False
    if not parts.hostname or "@" in parts.netloc or parts.fragment:
        return False
    if parts.scheme == "https":
        return True
    return (
        parts.scheme == "http"
        and issuer_parts.scheme == "http"
        and parts.hostname in _LOOPBACK_HOSTS
        and issuer_parts.hostname in _LOOPBACK_HOSTS
    )


def _client_authentication(document: Mapping[str, object]) -> ClientAuthentication:
    methods = document.get("token_endpoint_auth_methods_supported")
    # Left out means client_secret_basic (OpenID Connect Discovery §3).
    if not isinstance(methods, list) or "client_secret_basic" in methods:
        return "client_secret_basic"
    if "client_secret_post" in methods:
        return "client_secret_post"
    raise ProviderUnreachable(
        "the provider's token endpoint takes no client secret",
        detail="The provider supports neither client_secret_basic nor client_secret_post at its token endpoint.",
    )
