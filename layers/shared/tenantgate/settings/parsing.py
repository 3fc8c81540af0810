"""Parsers of the settings' texts. Each raises `ValueError` with the allowed form, never the value."""

from __future__ import annotations

import json
import re
from urllib.parse import SplitResult, parse_qs, urlsplit, urlunsplit

from tenantgate.urls import is_loopback, parse_http_url

# A host name has 253 characters at most (RFC 1035 §2.3.4, without the root's dot).
LONGEST_ORIGIN = len("https://") + 253 + len(":65535/")
_DATABASE_SCHEMES = frozenset({"postgres", "postgresql", "postgresql+asyncpg"})
_RDS = (".rds.amazonaws.com", ".rds.amazonaws.com.cn")
_ENCRYPTED_MODES = frozenset({"require", "verify-ca", "verify-full"})
# By DATABASE_TLS: the values of sslmode that it takes.
_TLS_MODES = {
    "verify-full": frozenset({"verify-full"}),
    "encrypted": _ENCRYPTED_MODES,
    "private-network": frozenset({"disable", "allow", "prefer"}) | _ENCRYPTED_MODES,
}
_TLS_REMEDY = {
    "verify-full": "add ?sslmode=verify-full (and &sslrootcert=FILE where the server's authority is neither one of the "
    "system's nor RDS's), so that only the real server gets the password; if it can't be verified, set DATABASE_TLS to "
    "encrypted (with sslmode=require), or to private-network in a network without untrusted clients",
    "encrypted": "add ?sslmode=require, or verify-full",
    "private-network": "sslmode must be one of disable, allow, prefer, require, verify-ca, verify-full",
}
# An alias could be moved to another key, which doesn't unwrap.
KMS_KEY_ARN = re.compile(
    r"arn:aws[a-z-]*:kms:(?P<region>[a-z]{2,4}(?:-[a-z]+)+-\d):\d{12}:key/(?P<id>[0-9a-f-]{36}|mrk-[0-9a-f]{32})"
)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# Parameters that the sign-in itself sets: one that could be overridden would undo a check.
PROTOCOL_PARAMETERS = frozenset(
    {
        "client_id", "client_secret", "code_challenge", "code_challenge_method", "nonce", "redirect_uri", "request",
        "request_uri", "resource", "response_mode", "response_type", "scope", "state",
    }
)  # fmt: skip


def split_url(text: str) -> SplitResult | None:
    """The parts of a URL, or None: the text of `urlsplit`'s own error may repeat a secret."""
    try:
        return urlsplit(text)
    except ValueError:
        return None


def parse_kms_keys(text: str) -> tuple[str, ...]:
    """Comma-separated ARNs of KMS keys."""
    arns = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not all(KMS_KEY_ARN.fullmatch(arn) for arn in arns):
        raise ValueError("list ARNs of keys, not aliases, such as arn:aws:kms:eu-central-1:123456789012:key/<its id>")
    return arns


def parse_bucket(text: str) -> str:
    """The name of an S3 bucket."""
    if not _BUCKET.fullmatch(text) or ".." in text:
        raise ValueError("set it to only the bucket's name, such as acme-audit-anchors")
    return text


def parse_origins(text: str, *, allow_loopback_http: bool) -> tuple[str, ...]:
    """Comma-separated origins, each `scheme://host[:port]` in its serialized form (RFC 6454 §6.1)."""
    origins = tuple(
        parse_origin(part.strip(), allow_loopback_http=allow_loopback_http) for part in text.split(",") if part.strip()
    )
    if not origins:
        raise ValueError("list at least one origin, such as https://app.example.com")
    return tuple(dict.fromkeys(origins))


def parse_origin(text: str, *, allow_loopback_http: bool) -> str:
    """One origin, lower-cased and without a default port."""
    if "*" in text:
        # Credentials are allowed to these origins: a wildcard would hand them to every site (Fetch §3.3.5).
        raise ValueError(
            "a wildcard can't be combined with credentials; list each origin, such as https://app.example.com"
        )
    form = "each is scheme://host[:port] without a path, such as https://app.example.com"
    if not text.isascii():
        raise ValueError(form + "; write an international name in its punycode form")
    url = parse_http_url(text, longest=LONGEST_ORIGIN)
    if url is None or url.rest not in ("", "/"):
        raise ValueError(form)
    if url.scheme != "https" and not (allow_loopback_http and is_loopback(url.host)):
        raise ValueError("it must begin with https:// (plain http only for loopback addresses in development)")
    return url.origin


def parse_base_url(text: str, *, allow_loopback_http: bool) -> str:
    """Parse the address of an API: an origin, because its routes begin at the root."""
    try:
        return parse_origin(text, allow_loopback_http=allow_loopback_http)
    except ValueError:
        raise ValueError(
            "set it to scheme://host[:port] without a path, such as https://auth.example.com (plain http only for "
            "loopback addresses in development)"
        ) from None


def parse_networks(text: str) -> tuple[str, ...]:
    """Comma-separated networks in CIDR form, each in its shortest form."""
    from ipaddress import ip_network  # noqa: PLC0415  (few deployments have such a proxy)

    networks = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            network = ip_network(part)
        except ValueError:
            raise ValueError("each is a network such as 10.0.0.0/8 or 2001:db8::/32, or one address") from None
        if network.prefixlen == 0:
            raise ValueError("a network of all addresses would let every client choose its own address")
        networks.append(str(network))
    return tuple(dict.fromkeys(networks))


def parse_database_url(text: str, *, tls: str) -> str:
    """A PostgreSQL URL in SQLAlchemy's form for asyncpg; `postgres://` and `postgresql://` are accepted.

    `tls` is the requirement for connections to other machines: `verify-full`, `encrypted` or `private-network`.
    """
    form = "set it to postgresql://user:password@host:5432/name"
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError(form) from None
    if parts.scheme not in _DATABASE_SCHEMES or not parts.hostname or len(parts.path) < 2 or parts.fragment:
        raise ValueError(form)
    modes = parse_qs(parts.query, keep_blank_values=True).get("sslmode", [])
    if len(modes) > 1:
        # Readers differ on which of them counts.
        raise ValueError("state sslmode once")
    by_token = parts.password is None and parts.hostname.endswith(_RDS)
    if by_token:
        # Anyone who reads an IAM token in transit can log in with it. Without a mode, its connections are verified.
        modes, tls = modes or ["verify-full"], "encrypted" if tls == "private-network" else tls
    elif is_loopback(parts.hostname):
        tls = "private-network"
    if not _TLS_MODES[tls].issuperset(modes or ["prefer"]):
        raise ValueError(_TLS_REMEDY[tls])
    return urlunsplit(("postgresql+asyncpg", parts.netloc, parts.path, parts.query, ""))


def parse_scopes(text: str) -> tuple[str, ...]:
    """Scopes separated by spaces, `openid` always first (OpenID Connect Core §3.1.2.1)."""
    return tuple(dict.fromkeys(("openid", *text.replace(",", " ").split())))


def parse_authorize_params(text: str) -> dict[str, str]:
    """Further authorization request parameters: a JSON object of strings."""
    form = 'set it to a JSON object of strings, such as {"audience":"https://api.example.com"}'
    try:
        params = json.loads(text)
    except ValueError:
        raise ValueError(form) from None
    if not isinstance(params, dict) or not all(isinstance(value, str) for value in params.values()):
        raise ValueError(form)
    if fixed := sorted(PROTOCOL_PARAMETERS & params.keys()):
        raise ValueError(f"take out {', '.join(fixed)}: the sign-in sets these itself")
    return params
