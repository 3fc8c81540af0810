"""`TRUSTED_ISSUERS`: the members of its entries, and their parser. Imported only if the variable is set."""

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

    These rows define both the parser and `docs/CONFIGURATION.md`. A name with a dot is a member of a nested object.
    `default` is its text in the documentation; a member without a default is required.
    """

    __slots__ = ()

    name: str
    field: str
    parse: Callable[[object], object]
    form: str
    default: str
    meaning: str


def _is_text(value: object) -> bool:
    # These are compared exactly: with a blank before or after it, a text would match nothing.
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
        "`iss` of its tokens, compared exactly. An https:// URL, or any text if `jwks_uri`, `discovery_url` or "
        "`jwks_file` leads to its keys.",
    ),
    Member(
        "audiences", "audiences", _words, _WORDS, "",
        "Values of the audience claim that mean this API; a token must have one of them.",
    ),
    Member(
        "tenants", "tenants", _tenants, 'a list of tenant ids, or "*" for all', "",
        'The tenants that the issuer may issue tokens for. `"*"` trusts it with every tenant.',
    ),
    Member(
        "scopes", "scopes", _allowed, 'a list of scopes, or "*" for all', '`[]`; `"*"` where `tenants` is `"*"`',
        "The scopes that the issuer may grant; others in its tokens are ignored.",
    ),
    Member(
        "roles", "roles", _allowed, 'a list of roles, or "*" for all', '`[]`; `"*"` where `tenants` is `"*"`',
        "The roles that the issuer may grant; others in its tokens are ignored.",
    ),
    Member(
        "client_ids", "client_ids", _word_set, _WORDS, "`OIDC_CLIENT_ID`",
        "The issuer's client ids among `audiences`, in addition to `OIDC_CLIENT_ID`. ID tokens are for clients, too, "
        "so a token for one of them is accepted only if it states that it is an access token (docs/AUTHORIZER.md).",
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
        "Accepted values of the claim `token_use`, if a token has it (Cognito).",
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
        "jwks_uri", "jwks_uri", _url, _URL, "from discovery", "The URL of the issuer's key set.",
    ),
    Member(
        "jwks_file", "jwks_file", _text, "a text", "none",
        "A file with its key set, so that a cold start never fetches (`tenantgate jwks bundle` writes it). If the "
        "issuer isn't a URL and has neither `jwks_uri` nor `discovery_url`, its keys come only from this file.",
    ),
    Member(
        "discovery_url", "discovery_url", _url, _URL, "`<issuer>/.well-known/openid-configuration`",
        "The URL of its discovery document, if that isn't under the issuer. The document must name the same issuer.",
    ),
    Member(
        "allow_id_tokens", "allow_id_tokens", _flag, "true or false", "`false`",
        "Accept its ID tokens as bearer tokens.",
    ),
    Member(
        "logout_url", "logout_url", _url, _URL, "the provider's end-session endpoint",
        "The URL to send the browser to at a sign-out, for the provider of `OIDC_ISSUER_URL` (`OIDC_LOGOUT_URL`).",
    ),
    Member(
        "logout_redirect_param", "logout_redirect_param", _parameter_name, "the name of a query parameter",
        "`post_logout_redirect_uri`",
        "The parameter of `logout_url` that takes the URL to return to (`OIDC_LOGOUT_REDIRECT_PARAM`).",
    ),
    Member(
        "event_audiences", "event_audiences", _words, _WORDS, "none",
        "Audiences of the security events that the issuer sends here (docs/SECURITY_EVENTS.md). Without them, it may "
        "send none.",
    ),
    Member(
        "event_poll_url", "event_poll_url", _url, _URL, "none",
        "The URL to fetch its security events from (RFC 8936), if it doesn't push them. Needs `event_audiences`.",
    ),
)  # fmt: skip

_BY_NAME = {member.name: member for member in MEMBERS}
# The name of the nested object; above, its members have this name and a dot before theirs.
_NESTED = "claims"
_FILE = "file:"
_LONGEST_FILE = 256 * 1024
_FORM = (
    'a JSON list of objects such as [{"issuer": "https://...", "audiences": ["..."], "tenants": ["org-..."]}]'
    ' ("tenants": "*" for all)'
)


def written_entries(text: str) -> str:
    """Return the entries that a value of `TRUSTED_ISSUERS` has: those of the file that it names, or the value itself.

    A Lambda function's variables have 4 KB together, which some twenty issuers exceed.
    """
    if not text.startswith(_FILE):
        return text
    try:
        with open(text.removeprefix(_FILE).strip(), "rb") as file:  # noqa: PTH123  (pathlib costs a cold start)
            content = file.read(_LONGEST_FILE + 1)
        if len(content) > _LONGEST_FILE:
            raise ValueError
        return content.decode()
    except (OSError, ValueError):
        raise ValueError(
            f"file:PATH of a readable file, at most {_LONGEST_FILE} bytes of UTF-8, with {_FORM}"
        ) from None


def parse_trusted_issuers(text: str, *, allow_loopback_http: bool) -> tuple[IssuerPolicy, ...]:
    """Parse `TRUSTED_ISSUERS`: a JSON list with one object of `MEMBERS` for each issuer.

    `tenants` is required, so that no issuer is trusted with every tenant unless an operator states it.
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
    if "event_poll_url" in fields and "event_audiences" not in fields:
        raise ValueError(f"entry {number}: event_poll_url needs event_audiences next to it")
    if "jwks_uri" not in fields and "discovery_url" not in fields:
        fields |= _found_by(number, str(fields["issuer"]), fields, allow_loopback_http)
    if fields["tenants"] is not None:
        # An issuer that a tenant runs may name the tenant's users. It may not decide on their permissions here.
        fields = {"scopes": frozenset(), "roles": frozenset(), **fields}
    return IssuerPolicy(**fields)  # type: ignore[arg-type]  # each member was parsed to its field's type


def _found_by(number: int, issuer: str, fields: Mapping[str, object], allow_loopback_http: bool) -> dict[str, object]:
    """Return the source of the keys of an issuer whose entry has no URL: under the issuer, or only the file."""
    try:
        parse_issuer_url(issuer, allow_loopback_http=allow_loopback_http)
    except ValueError as form:
        if "jwks_file" in fields:
            return {"discovery_url": ""}
        raise ValueError(
            f"entry {number}: issuer must be {form}, or have jwks_uri, discovery_url or jwks_file next to it"
        ) from None
    return {}


def _flat(number: int, entry: Mapping[str, object]) -> dict[str, object]:
    """Return the entry's members under the names in `MEMBERS`."""
    written = {name: value for name, value in entry.items() if name != _NESTED}
    nested: Mapping[str, object] = {}
    if _NESTED in entry:
        inner = entry[_NESTED]
        if not isinstance(inner, dict) or not inner:
            raise ValueError(f"entry {number}: {_NESTED} must be an object with at least one member")
        nested = inner
    # A dot in a written name would set a member of the nested object from outside.
    names = [*written, *(f"{_NESTED}.{name}" for name in nested)]
    if any("." in name for name in written) or not _BY_NAME.keys() >= set(names):
        raise ValueError(f"entry {number} may have only {', '.join(_BY_NAME)}")
    return {**written, **{f"{_NESTED}.{name}": value for name, value in nested.items()}}
