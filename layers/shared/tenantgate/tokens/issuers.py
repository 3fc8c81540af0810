"""The policy for each trusted issuer: audiences, algorithms, kinds of token, tenants."""

from __future__ import annotations

from tenantgate.tokens.forms import ALGORITHMS
from tenantgate.tokens.records import Record

# The name in RFC 8693 §4.2, and that of Okta and Entra ID.
SCOPE_CLAIMS = ("scope", "scp")
# RFC 9068 §2.1: only access tokens have it.
ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type
# RFC 9068's type; also plain `JWT` and a missing type (the empty string), which most providers send.
ACCESS_TOKEN_TYPES = frozenset({ACCESS_TOKEN_TYPE, "jwt", ""})


class IssuerPolicy(Record):
    """The policy for one issuer's tokens.

    The first claim of `audience_claims` that is present must name one of `audiences`; a present `aud` must match, too.
    `token_types` are lower-case values of the header's `typ` without `application/`; the empty string is a missing
    `typ`. The issuer may issue tokens for `tenants`, and grant `scopes` and `roles`; None is all. `client_ids` are
    clients of the issuer: a token for one of them may be an ID token. If `discovery_url` is None, the document is under
    the issuer at the well-known path; if it is empty, there is no document, and `jwks_file` has the keys. `logout_url`
    replaces the provider's end-session endpoint. The issuer's security events are for one of `event_audiences`; without
    them it may send none. They are fetched from `event_poll_url`, if the issuer doesn't push them.
    """

    __slots__ = ()

    issuer: str
    audiences: tuple[str, ...]
    audience_claims: tuple[str, ...] = ("aud",)
    algorithms: frozenset[str] = ALGORITHMS
    token_types: frozenset[str] = ACCESS_TOKEN_TYPES
    token_uses: frozenset[str] = frozenset({"access"})
    tenants: frozenset[str] | None = None
    scopes: frozenset[str] | None = None
    roles: frozenset[str] | None = None
    client_ids: frozenset[str] = frozenset()
    tenant_claim_names: tuple[str, ...] | None = None
    user_claim: str = "sub"
    scope_claims: tuple[str, ...] = SCOPE_CLAIMS
    role_claims: tuple[str, ...] | None = None
    jwks_uri: str | None = None
    jwks_file: str | None = None
    discovery_url: str | None = None
    allow_id_tokens: bool = False
    logout_url: str | None = None
    logout_redirect_param: str = "post_logout_redirect_uri"
    event_audiences: tuple[str, ...] = ()
    event_poll_url: str | None = None

    @property
    def is_known_by_file_only(self) -> bool:
        """Tell if `jwks_file` is the only source of its keys: neither a URL nor a discovery document is known."""
        return self.jwks_uri is None and self.discovery_url == ""
