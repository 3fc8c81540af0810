"""The one definition of `REDIS_URL`: `redis://[[user]:password@]host[:port][/number]`, or `rediss://` for TLS.

The only parameter is `ssl_ca_certs=FILE`, the certificate authorities. Drivers read others from the URL, such as
time limits and `ssl_cert_reqs=none`; here `REDIS_TLS` decides, so that no URL can weaken it.

Without `urllib.parse`, as `urls.py`: the authorizer reads this URL in a cold start.
"""

from __future__ import annotations

from tenantgate.urls import is_host, is_loopback, is_plain

DEFAULT_PORT = 6379
_LONGEST = 2048
_LONGEST_NAME = 40
# REDIS_TLS, strictest first.
PROTECTIONS = ("verify-full", "encrypted", "private-network")
_FORM = "set it to redis://host:6379/0, or rediss://host:6379/0 with TLS; percent-encode user and password"
_IAM_FORM = (
    "with REDIS_IAM_CACHE, set it to rediss://user@endpoint:6379/0, with a user and without a password; REDIS_TLS is "
    "verify-full, and AWS_REGION is the region of the cache"
)
_REMEDY = (
    "begin it with rediss:// (and add ?ssl_ca_certs=FILE where the server's authority isn't one of the system's), so "
    "that only the real server gets the password; if it can't be verified, set REDIS_TLS to encrypted (with "
    "rediss://), or to private-network in a network without untrusted clients"
)


class CacheUrl:
    """A parsed URL. `verified`: TLS verifies the server's certificate. `authorities`: a file, None for the system's.

    With `iam_cache`, the name of a cache in `region`, the user logs in with a token instead of a password
    (`cache_token.py`).
    """

    __slots__ = ("authorities", "host", "iam_cache", "number", "password", "port", "region", "tls", "user", "verified")

    def __init__(
        self,
        host: str,
        port: int,
        *,
        number: int = 0,
        user: str = "",
        password: str = "",
        tls: bool = False,
        verified: bool = False,
        authorities: str | None = None,
        iam_cache: str = "",
        region: str = "",
    ) -> None:
        self.host = host
        self.port = port
        self.number = number
        self.user = user
        self.password = password
        self.tls = tls
        self.verified = verified
        self.authorities = authorities
        self.iam_cache = iam_cache
        self.region = region


def parse_cache_url(
    text: str, *, protection: str, relaxed: bool = False, iam_cache: str = "", region: str = ""
) -> CacheUrl:
    """Parse `REDIS_URL`. Raises `ValueError` with the allowed form, never the value.

    `protection` is `REDIS_TLS`: with `verify-full`, TLS verifies the server. Unless `relaxed` (development and test) or
    on loopback, `verify-full` and `encrypted` require `rediss://`. `iam_cache` is `REDIS_IAM_CACHE`, and `region` the
    AWS region that it needs: anyone who reads a token can log in with it, so only a verified server gets one.
    """
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in ("redis", "rediss") or not is_plain(text, longest=_LONGEST) or "#" in rest:
        raise ValueError(_FORM)
    before, question, query = rest.partition("?")
    authority, _, path = before.partition("/")
    login, at, place = authority.rpartition("@")
    user, colon, password = login.partition(":")
    host, port = _host_and_port(place)
    form = _IAM_FORM if iam_cache else _FORM
    if host is None or port is None or not _is_number(path):
        raise ValueError(form)
    if iam_cache:
        # A cluster, as a serverless cache is one, has only database 0.
        is_protected = scheme == "rediss" and protection == "verify-full"
        if not (is_protected and user and not password and region and int(path or 0) == 0):
            raise ValueError(form)
    elif at and not colon:
        # A user without a password would be read as a password by some drivers.
        raise ValueError(form)
    if scheme == "redis" and protection != "private-network" and not relaxed and not is_loopback(host):
        raise ValueError(_REMEDY if protection == "verify-full" else "begin it with rediss://")
    return CacheUrl(
        host,
        port,
        number=int(path or 0),
        user=_decoded(user),
        password=_decoded(password),
        tls=scheme == "rediss",
        verified=scheme == "rediss" and protection == "verify-full",
        authorities=_authorities(query) if question else None,
        iam_cache=iam_cache,
        region=region,
    )


def parse_cache_name(text: str) -> str:
    """Return `REDIS_IAM_CACHE`, which may be empty. Raises `ValueError` with the allowed form."""
    allowed = "abcdefghijklmnopqrstuvwxyz0123456789-"
    if text and (len(text) > _LONGEST_NAME or not text[0].isalpha() or not frozenset(allowed).issuperset(text)):
        raise ValueError("set it to the name of the cache: up to 40 lower-case letters, digits and hyphens")
    return text


def _host_and_port(place: str) -> tuple[str | None, int | None]:
    # The colons inside brackets belong to the address.
    name, colon, written = place.rpartition(":") if not place.endswith("]") else (place, "", "")
    host, port = (name, written) if colon else (place, str(DEFAULT_PORT))
    if not is_host(f"{host}:{port}") or not port or int(port) == 0:
        return None, None
    return host.strip("[]"), int(port)


def _is_number(path: str) -> bool:
    return path == "" or (len(path) <= 5 and path.isascii() and path.isdigit())


def _authorities(query: str) -> str:
    name, _, value = query.partition("=")
    if name != "ssl_ca_certs" or not value or "&" in value:
        raise ValueError("its only parameter is ssl_ca_certs=FILE; REDIS_TLS says whether TLS verifies the server")
    return _decoded(value)


def _decoded(text: str) -> str:
    """Undo percent-encoding (RFC 3986 §2.1)."""
    first, *rest = text.split("%")
    try:
        octets = b"".join((first.encode(), *(bytes.fromhex(part[:2]) + part[2:].encode() for part in rest)))
        if any(len(part) < 2 for part in rest):
            raise ValueError
        return octets.decode()
    except ValueError:
        raise ValueError(_FORM) from None
