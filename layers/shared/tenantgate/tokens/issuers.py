"""What each trusted issuer may say: audiences, algorithms, kinds of token, tenants; and `TRUSTED_ISSUERS`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from tenantgate.tokens.forms import ALGORITHMS, is_plain_text, parse_issuer_url
from tenantgate.tokens.records import Record

# RFC 9068's type; plain `JWT` and none at all (the empty string), because most providers send access tokens so.
ACCESS_TOKEN_TYPES = frozenset({"at+jwt", "jwt", ""})


class IssuerPolicy(Record):
    """What is believed of one issuer's tokens.

    `audience_claims` are looked at in turn, and the first one present must name one of `audiences`; `aud` must match
    whenever it is present. `token_types` are lower-case values of the header's `typ` without `application/`, the empty
    string for a missing `typ`. `tenants` are those that the issuer may speak for; None is all.
    """

    __slots__ = ()

    issuer: str
    audiences: tuple[str, ...]
    audience_claims: tuple[str, ...] = ("aud",)
    algorithms: frozenset[str] = ALGORITHMS
    token_types: frozenset[str] = ACCESS_TOKEN_TYPES
    token_uses: frozenset[str] = frozenset({"access"})
    tenants: frozenset[str] | None = None
    tenant_claim_names: tuple[str, ...] | None = None
    user_claim: str = "sub"
    scope_claims: tuple[str, ...] = ("scope", "scp")
    jwks_uri: str | None = None
    jwks_file: str | None = None
    allow_id_tokens: bool = False


_FORM = (
    'a JSON list of objects such as [{"issuer": "https://...", "audiences": ["..."], "tenants": ["org-..."]}]'
    ' ("tenants": "*" for all)'
)


def parse_trusted_issuers(text: str, *, allow_loopback_http: bool) -> tuple[IssuerPolicy, ...]:
    """`TRUSTED_ISSUERS`: a JSON list with one object for each issuer.

    Members: `issuer`, `audiences` and `tenants` (a list of tenant ids, or `"*"`) are required, so that no issuer speaks
    for every tenant unless somebody wrote so; `audience_claims`, `algorithms`, `token_types`, `token_use`, `claims`
    (`{"user_id": ..., "tenant": [...], "scope": [...]}`), `jwks_uri`, `jwks_file` and `allow_id_tokens` are optional.
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
    unknown = sorted(set(entry) - _MEMBERS.keys() - {"issuer", "audiences", "tenants"})
    if unknown:
        raise ValueError(f"entry {number} may have only {', '.join(['issuer', 'audiences', 'tenants', *_MEMBERS])}")

    def url(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError("an https:// URL")
        return parse_issuer_url(value, allow_loopback_http=allow_loopback_http)

    members: dict[str, object] = {}
    for name, parse in {"issuer": url, "audiences": _words, "tenants": _tenants, **_MEMBERS, "jwks_uri": url}.items():
        if name not in entry and name in _MEMBERS:
            continue
        try:
            value = parse(entry.get(name))
        except ValueError as problem:
            raise ValueError(f"entry {number}: {name} must be {problem}") from None
        if name == "claims" and isinstance(value, Mapping):
            members.update(value)
        else:
            members["token_uses" if name == "token_use" else name] = value
    return IssuerPolicy(**members)  # type: ignore[arg-type]  # each member was parsed to its field's type


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, list) and value and all(is_plain_text(word) for word in value):
        return tuple(value)
    raise ValueError("a list of texts, at least one")


def _word_set(value: object) -> frozenset[str]:
    return frozenset(_words(value))


def _tenants(value: object) -> frozenset[str] | None:
    if value == "*":
        return None
    try:
        return _word_set(value)
    except ValueError:
        raise ValueError('a list of tenant ids, or "*" for all') from None


def _algorithms(value: object) -> frozenset[str]:
    if isinstance(value, list) and value and ALGORITHMS.issuperset(word for word in value if isinstance(word, str)):
        return _word_set(value)
    raise ValueError(f"a list out of {', '.join(sorted(ALGORITHMS))}")


def _token_types(value: object) -> frozenset[str]:
    if isinstance(value, list) and value and all(word == "" or is_plain_text(word) for word in value):
        return frozenset(word.lower().removeprefix("application/") for word in value)
    raise ValueError('a list of values of the header\'s typ ("" for none)')


def _text(value: object) -> str:
    if isinstance(value, str) and is_plain_text(value):
        return value
    raise ValueError("a text")


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("true or false")


_CLAIMS: dict[str, tuple[str, Callable[[object], object]]] = {
    "user_id": ("user_claim", _text),
    "tenant": ("tenant_claim_names", _words),
    "scope": ("scope_claims", _words),
}


def _claims(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict) or not value or set(value) - _CLAIMS.keys():
        raise ValueError('an object of "user_id", "tenant" and "scope"')
    return {_CLAIMS[name][0]: _CLAIMS[name][1](value[name]) for name in value}


_MEMBERS: dict[str, Callable[[object], object]] = {
    "audience_claims": _words,
    "algorithms": _algorithms,
    "token_types": _token_types,
    "token_use": _word_set,
    "claims": _claims,
    "jwks_uri": _text,
    "jwks_file": _text,
    "allow_id_tokens": _flag,
}
