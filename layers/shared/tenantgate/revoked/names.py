"""The names of revoked things: hashes, so that they contain no personal data.

token      issuer and `jti`, or the token without its signature if it has no `jti`
session    tenant and session id
user       tenant, issuer and user id; or only issuer and user id: the user in every tenant
client     issuer and client id
tenant     tenant id; or nothing: every tenant (`EVERY_TENANT`)
kid        issuer and key id
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA256, Hash

if TYPE_CHECKING:
    from typing import Literal

type RevocationKind = Literal["token", "session", "user", "client", "tenant", "kid"]

# 128 bits of SHA-256: a second value with the same name can't be found, and a snapshot has half the size.
NAME_BYTES = 16
_SHA256 = SHA256()


def token_name(issuer: str, token_id: str | None, token: str) -> bytes:
    """Return the name of a token. `token_id`: its `jti`, if it has one. `token`: as it was sent."""
    if token_id is not None:
        return _name("token", issuer, token_id)
    # Without the signature: anyone who has an ECDSA signature can make another one that verifies.
    return _name("token-text", issuer, token.rpartition(".")[0] or token)


def session_name(tenant_id: str, session_id: str) -> bytes:
    return _name("session", tenant_id, session_id)


def user_name(tenant_id: str, issuer: str, user_id: str) -> bytes:
    return _name("user", tenant_id, issuer, user_id)


def subject_name(issuer: str, user_id: str) -> bytes:
    """Return the name of an issuer's user in every tenant, for an event of the issuer that names no tenant."""
    return _name("subject", issuer, user_id)


def client_name(issuer: str, client_id: str) -> bytes:
    return _name("client", issuer, client_id)


def tenant_name(tenant_id: str) -> bytes:
    return _name("tenant", tenant_id)


def issuer_name(issuer: str) -> bytes:
    """Return the name of an issuer, for the issuers that a tenant allows."""
    return _name("issuer", issuer)


def kid_name(issuer: str, kid: str) -> bytes:
    return _name("kid", issuer, kid)


def _name(kind: str, *parts: str) -> bytes:
    encoded = [part.encode(errors="surrogatepass") for part in (kind, *parts)]
    digest = Hash(_SHA256)
    # Each part with its length: ("a", "bc") and ("ab", "c") must have different names.
    digest.update(b"".join([b"%d:%b" % (len(part), part) for part in encoded]))
    return digest.finalize()[:NAME_BYTES]


# After a restore, which may have lost revocations: what anyone in any tenant got up to then is refused.
EVERY_TENANT = _name("every tenant")
