"""`TRUSTED_ISSUERS`: the members of its entries, and their parser. Imported only where the variable is set."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from tenantgate.tokens.forms import (
    ALGORITHMS,
    is_plain_text,
    parse_issuer_url,
    parse_parameter_name,
)
from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate.tokens.records import Record
from tenantgate.urls import is_endpoint_url


class Member(Record):
    """One member of an entry in `TRUSTED_ISSUERS`, read by `parse` (which raises `ValueError`) into the field `field`.

    The parser and `docs/CONFIGURATION.md` both come from these rows. A name with a dot is a member of a nested object.
    `default` is the text that the documentation shows; a member without one is required.
    """

    __slots__ = ()

    name: str
    field: str
    parse: Callable[[object], object]
    form: str
    default: str
    meaning: str


def _is_text(value: object) -> bool:
    # These are compared exactly: a blank before or behind one is a slip that would match nothing.
    return isinstance(value, str) and is_plain_text(value) and value == value.strip()


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, list) and value and all(_is_text(word) for word in value):
        return tuple(value)
    raise ValueError


def _word_set(value: object) -> frozenset[str]:
    return frozenset(_words(value))


def _tenants(value: object) -> frozenset[str] | None:
    return None if value == "*" else _word_set(value)


def _allowed(value: object) -> frozenset[str] | None:
    return frozenset() if value == [] else _tenants(value)


def _algorithms(value: object) -> frozenset[str]:
    if ALGORITHMS.issuperset(words := _words(value)):
        # `EdDSA` with the one curve that is accepted is RFC 9864's `Ed25519`. The newer name covers only itself.
        return frozenset((*words, "Ed25519") if "EdDSA" in words else words)
    raise ValueError


def _token_types(value: object) -> frozenset[str]:
    if isinstance(value, list) and value and all(word == "" or _is_text(word) for word in value):
        return frozenset(word.lower().removeprefix("application/") for word in value)
    raise ValueError


def _text(value: object) -> str:
    if isinstance(value, str) and _is_text(value):
        return value
    raise ValueError


def _url(value: object) -> str:
    if isinstance(value, str) and is_endpoint_url(value, loopback_http=True):
        return value
    raise ValueError


def _parameter_name(value: object) -> str:
    return parse_parameter_name(_text(value))


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError


_WORDS = "a list of texts, at least one"
_URL = "an https:// URL without user info or fragment"

MEMBERS: tuple[Member, ...] = (
    Member(
        "issuer", "issuer", _text, "a text", "",
        "`iss` of its tokens, compared exactly. An https:// URL, or any text where `jwks_uri`, `discovery_url` or "
        "`jwks_file` says where its keys are.",
    ),
    Member(
        "audiences", "audiences", _words, _WORDS, "",
        "Values of the audience claim that mean this API; one of them must be there.",
    ),
    Member(
        "tenants", "tenants", _tenants, 'a list of tenant ids, or "*" for all', "",
        'The tenants that the issuer may speak for. `"*"` trusts it with every tenant.',
    ),
    Member(
        "scopes", "scopes", _allowed, 'a list of scopes, or "*" for all', '`[]`; `"*"` where `tenants` is `"*"`',
        "The scopes that the issuer may give; others in its tokens are dropped.",
    ),
    Member(
        "roles", "roles", _allowed, 'a list of roles, or "*" for all', '`[]`; `"*"` where `tenants` is `"*"`',
        "The roles that the issuer may give; others in its tokens are dropped.",
    ),
    Member(
        "client_ids", "client_ids", _word_set, _WORDS, "`OIDC_CLIENT_ID`",
        "The issuer's client ids among `audiences`, beside `OIDC_CLIENT_ID`. ID tokens are for them too, so a token "
        "for one of them passes only if it says that it is an access token (docs/AUTHORIZER.md).",
    ),
    Member(
        "audience_claims", "audience_claims", _words, _WORDS, '`["aud"]`',
        "Claims that may hold the audience; the first one present counts (Cognito: `[\"client_id\"]`).",
    ),
    Member(
        "algorithms", "algorithms", _algorithms, f"a list out of {', '.join(sorted(ALGORITHMS))}", "all of these",
        "Signature algorithms accepted. `EdDSA` includes `Ed25519`, its name in RFC 9864.",
    ),
    Member(
        "token_types", "token_types", _token_types, 'a list of values of the header\'s typ ("" for none)',
        '`["at+jwt", "jwt", ""]`', "Values of the header's `typ` that mean an access token, in any case.",
    ),
    Member(
        "token_use", "token_uses", _word_set, _WORDS, '`["access"]`',
        "Values of the claim `token_use` accepted where a token has it (Cognito).",
    ),
    Member(
        "claims.user_id", "user_claim", _text, "a text", "`sub`", "The claim that names the user.",
    ),
    Member(
        "claims.tenant", "tenant_claim_names", _words, _WORDS, "`JWT_TENANT_CLAIM_NAME`",
        "Claims that may name the tenant, in priority order.",
    ),
    Member(
        "claims.scope", "scope_claims", _words, _WORDS, '`["scope", "scp"]`', "Claims that hold scopes, all of them.",
    ),
    Member(
        "claims.roles", "role_claims", _words, _WORDS, "`JWT_ROLES_CLAIM_NAME`", "Claims that hold roles, all of them.",
    ),
    Member(
        "jwks_uri", "jwks_uri", _url, _URL, "from discovery", "Where the issuer's key set is.",
    ),
    Member(
        "jwks_file", "jwks_file", _text, "a text", "none",
        "A file with its key set, so that a cold start fetches nothing (`tenantgate jwks bundle` writes it). Where the "
        "issuer is no URL and nothing else says where its keys are, they come only from this file.",
    ),
    Member(
        "discovery_url", "discovery_url", _url, _URL, "`<issuer>/.well-known/openid-configuration`",
        "Where its discovery document is, when it isn't under the issuer. The document must name the same issuer.",
    ),
    Member(
        "allow_id_tokens", "allow_id_tokens", _flag, "true or false", "`false`",
        "Whether its ID tokens are accepted as bearer tokens.",
    ),
    Member(
        "logout_url", "logout_url", _url, _URL, "the provider's end-session endpoint",
        "Where a sign-out sends the browser, for the provider of `OIDC_ISSUER_URL` (`OIDC_LOGOUT_URL`).",
    ),
    Member(
        "logout_redirect_param", "logout_redirect_param", _parameter_name, "the name of a query parameter",
        "`post_logout_redirect_uri`",
        "The parameter of `logout_url` that takes the URL to return to (`OIDC_LOGOUT_REDIRECT_PARAM`).",
    ),
)  # fmt: skip

_BY_NAME = {member.name: member for member in MEMBERS}
# Members of one nested object; they are written under its name and a dot above.
_NESTED = "claims"
_FORM = (
    'a JSON list of objects such as [{"issuer": "https://...", "audiences": ["..."], "tenants": ["org-..."]}]'
    ' ("tenants": "*" for all)'
)


def parse_trusted_issuers(text: str, *, allow_loopback_http: bool) -> tuple[IssuerPolicy, ...]:
    """`TRUSTED_ISSUERS`: a JSON list with one object of `MEMBERS` for each issuer.

    `tenants` is required, so that no issuer speaks for every tenant unless an operator wrote so.
    """
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(_FORM) from None
    if not isinstance(entries, list) or not entries:
        raise ValueError(_FORM)
    policies = tuple(_entry(number, entry, allow_loopback_http) for number, entry in enumerate(entries, start=1))
    if len({policy.issuer for policy in policies}) != len(policies):
        raise ValueError("a JSON list that names each issuer once")
    return policies


def _entry(number: int, entry: object, allow_loopback_http: bool) -> IssuerPolicy:
    if not isinstance(entry, dict):
        raise ValueError(_FORM)
    written = _flat(number, entry)
    fields: dict[str, object] = {}
    for member in MEMBERS:
        if member.name not in written and member.default:
            continue
        try:
            value = member.parse(written.get(member.name))
            if member.parse is _url and not is_endpoint_url(value, loopback_http=allow_loopback_http):
                raise ValueError
        except ValueError:
            raise ValueError(f"entry {number}: {member.name} must be {member.form}") from None
        fields[member.field] = value
    if "jwks_uri" not in fields and "discovery_url" not in fields:
        fields |= _found_by(number, str(fields["issuer"]), fields, allow_loopback_http)
    if fields["tenants"] is not None:
        # What one tenant runs may say who its people are, and nothing of what they may do here.
        fields = {"scopes": frozenset(), "roles": frozenset(), **fields}
    return IssuerPolicy(**fields)  # type: ignore[arg-type]  # each member was parsed to its field's type


def _found_by(number: int, issuer: str, fields: Mapping[str, object], allow_loopback_http: bool) -> dict[str, object]:
    """How the keys are found of an issuer whose entry names no URL: under the issuer, or only in the file."""
    try:
        parse_issuer_url(issuer, allow_loopback_http=allow_loopback_http)
    except ValueError as form:
        if "jwks_file" in fields:
            return {"discovery_url": ""}
        raise ValueError(
            f"entry {number}: issuer must be {form}, or have jwks_uri, discovery_url or jwks_file beside it"
        ) from None
    return {}


def _flat(number: int, entry: Mapping[str, object]) -> dict[str, object]:
    """The entry's members by the names in `MEMBERS`."""
    written = {name: value for name, value in entry.items() if name != _NESTED}
    nested: Mapping[str, object] = {}
    if _NESTED in entry:
        inner = entry[_NESTED]
        if not isinstance(inner, dict) or not inner:
            raise ValueError(f"entry {number}: {_NESTED} must be an object with at least one member")
        nested = inner
    # A dot in a name as it was written would reach into the nested object from outside.
    names = [*written, *(f"{_NESTED}.{name}" for name in nested)]
    if any("." in name for name in written) or not _BY_NAME.keys() >= set(names):
        raise ValueError(f"entry {number} may have only {', '.join(_BY_NAME)}")
    return {**written, **{f"{_NESTED}.{name}": value for name, value in nested.items()}}
