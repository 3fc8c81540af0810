"""What each trusted issuer may say: audiences, algorithms, kinds of token, tenants."""

from __future__ import annotations

from tenantgate.tokens.forms import ALGORITHMS
from tenantgate.tokens.records import Record

# RFC 8693 §4.2's name and the one that Okta and Entra ID use.
SCOPE_CLAIMS = ("scope", "scp")
# RFC 9068 §2.1: only access tokens have it.
ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type
# RFC 9068's type; plain `JWT` and none at all (the empty string), because most providers send access tokens so.
ACCESS_TOKEN_TYPES = frozenset({ACCESS_TOKEN_TYPE, "jwt", ""})


class IssuerPolicy(Record):
    """What is believed of one issuer's tokens.

    `audience_claims` are looked at in turn, and the first one present must name one of `audiences`; `aud` must match
    whenever it is present. `token_types` are lower-case values of the header's `typ` without `application/`, the empty
    string for a missing `typ`. `tenants` are those that the issuer may speak for, `scopes` and `roles` those that it
    may give; None is all. `client_ids` are clients of the issuer: a token for one of them may be an ID token.
    `discovery_url`: None is the well-known path under the issuer, the empty string none at all: then `jwks_file` is
    where the keys are. `logout_url` stands in for the provider's end-session endpoint.
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

    @property
    def is_known_by_file_only(self) -> bool:
        """Whether `jwks_file` is the only source of its keys: nothing says where they could be fetched."""
        return self.jwks_uri is None and self.discovery_url == ""
