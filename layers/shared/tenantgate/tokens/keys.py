"""Public keys of an issuer: JWKs (RFC 7517, 7518 §6, 8037) read strictly, found by `kid` and `alg`, ready to verify.

A key verifies only with the algorithms of its own type and curve, so no header can misuse it (RFC 8725 §3.1, §3.2).
`EdDSA` (RFC 8037) and `Ed25519` (RFC 9864 §2.2) are two names of one algorithm for a key on Ed25519.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature as BadSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tenantgate.errors.tokens import MalformedToken
from tenantgate.tokens.flights import FetchNeeded
from tenantgate.tokens.jws import decode_base64url
from tenantgate.tokens.records import Record

if TYPE_CHECKING:
    from typing import Final

type Check = Callable[[bytes, bytes], None]
"""`check(signature, signed bytes)`; raises `cryptography.exceptions.InvalidSignature`."""

type Found = tuple[Check, int]
"""A check, and the generation of its key set. A signature counts only while that generation is the current one."""

MAX_KEYS = 100
# RFC 7517 §4.5: several keys may have the same `kid`, so each is tried. Each try costs as much as a signature.
MAX_SAME_KID = 4
_MIN_RSA_BITS = 2048
_MAX_RSA_BITS = 8192

_HASHES: Mapping[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_ED25519 = frozenset({"EdDSA", "Ed25519"})
_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}

# Points of small order on edwards25519: anyone can make signatures that they verify.
_P25519 = 2**255 - 19
_SMALL_ORDER_Y = frozenset(
    {
        0,
        1,
        _P25519 - 1,
        _P25519,
        _P25519 + 1,
        2707385501144840649318225287225658788936804267575313519463743609750303402022,
        55188659117513257062467267217118295137698188065244968500265048394206261417927,
    }
)


class KeyFetchNeeded(FetchNeeded):
    """Only a fetch from the issuer can find the key, and the caller allowed none."""


class _Jwk(Record):
    __slots__ = ()

    kid: str | None
    algorithms: frozenset[str]
    members: Mapping[str, str]

    @property
    def identity(self) -> tuple[str | None, frozenset[str], tuple[tuple[str, str], ...]]:
        return self.kid, self.algorithms, tuple(sorted(self.members.items()))


class KeySet:
    """The usable keys of one JWK set. A key is built when first needed: elliptic curves are a slow import."""

    def __init__(self, keys: list[_Jwk], skipped: int) -> None:
        # A key that is published twice counts once.
        self._keys = list({key.identity: key for key in keys}.values())
        self._checks: dict[tuple[str | None, str], Check | None] = {}
        self.identities = frozenset(key.identity for key in keys)
        self.skipped = skipped

    def __len__(self) -> int:
        return len(self._keys)

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> KeySet:
        """Read the keys of a JWK set that can verify signatures; others are skipped (RFC 7517 §5).

        Raises `ValueError` if the document isn't a JWK set, is too large, or has no usable key.
        """
        entries = document.get("keys")
        if not isinstance(entries, list) or len(entries) > MAX_KEYS:
            raise ValueError(f"not a JWK set of at most {MAX_KEYS} keys")
        keys = [key for entry in entries if (key := _read(entry)) is not None]
        if not keys:
            raise ValueError("the JWK set has no key that could verify a signature")
        return cls(keys, skipped=len(entries) - len(keys))

    def find(self, kid: str | None, alg: str) -> Check | None:
        """Return the check by the keys with this `kid` that fit `alg`; without `kid`, only if a single key fits.

        Of several usable keys, the check tries the first `MAX_SAME_KID` in the set's order. None if no key fits.
        """
        name = (kid, alg)
        try:
            return self._checks[name]
        except KeyError:
            fitting = [key for key in self._keys if alg in key.algorithms and kid in (None, key.kid)]
            if len(fitting) != 1 and (kid is None or not fitting):
                # Not remembered: a flood of random kids must not fill the memory.
                return None
        checks = [check for key in fitting if (check := _build(key, alg)) is not None][:MAX_SAME_KID]
        check = _any_of(checks) if len(checks) > 1 else checks[0] if checks else None
        self._checks[name] = check
        return check

    def only_kid(self, alg: str) -> str | None:
        """Return the `kid` of the key that verifies tokens without one, None if it has none."""
        fitting = [key.kid for key in self._keys if alg in key.algorithms]
        return fitting[0] if len(fitting) == 1 else None


class HeldKeys:
    """The keys of one issuer at one moment. Replaced as a whole, so that no reader sees half of a change.

    `generation` changes when a key disappears: tokens that were verified before no longer count. The times are epoch
    seconds. From `tend_at` on, `find` must be called, even by a caller that remembers the result. `found` holds the
    results of `find`.
    """

    # Not a record, because every token reads its members, and plain attributes are faster.
    __slots__ = ("dropped_at", "found", "generation", "keys", "stale_at", "tend_at")

    def __init__(self, keys: KeySet, generation: int, tend_at: float, stale_at: float, dropped_at: float) -> None:
        self.keys: Final = keys
        self.generation: Final = generation
        self.tend_at: Final = tend_at
        self.stale_at: Final = stale_at
        self.dropped_at: Final = dropped_at
        self.found: Final[dict[tuple[str | None, str], Found]] = {}


def _any_of(checks: list[Check]) -> Check:
    first, last = checks[:-1], checks[-1]

    def check(signature: bytes, signed: bytes) -> None:
        for each in first:
            try:
                return each(signature, signed)
            except BadSignature:
                continue
        return last(signature, signed)

    return check


def _read(entry: object) -> _Jwk | None:
    if not isinstance(entry, dict):
        return None
    # Some issuers send every member, and leave those that don't apply empty: null, "", `key_ops: []`.
    jwk = {name: value for name, value in entry.items() if value is not None and value not in ("", [])}
    operations, kid, kty, crv = jwk.get("key_ops", ["verify"]), jwk.get("kid"), jwk.get("kty"), jwk.get("crv")
    if not isinstance(operations, list) or "verify" not in operations or not isinstance(kid, str | None):
        return None
    # A published private key (`d`) protects nothing: anyone can sign with it.
    if jwk.get("use", "sig") != "sig" or "d" in jwk:
        return None
    names: tuple[str, ...]
    if kty == "RSA":
        names, algorithms = ("n", "e"), _RSA_ALGORITHMS
    elif kty == "EC" and isinstance(crv, str) and crv in _CURVES:
        names, algorithms = ("crv", "x", "y"), frozenset({_CURVES[crv]})
    elif kty == "OKP" and crv == "Ed25519":
        names, algorithms = ("crv", "x"), _ED25519
    else:
        return None
    members = {name: jwk.get(name) for name in names}
    if "alg" in jwk:
        named = frozenset({jwk["alg"]} if isinstance(jwk["alg"], str) else ())
        algorithms &= named if named.isdisjoint(_ED25519) else _ED25519
    texts = {name: value for name, value in members.items() if isinstance(value, str) and len(value) <= 2048}
    return _Jwk(kid, algorithms, texts) if algorithms and len(texts) == len(members) else None


def _build(key: _Jwk, alg: str) -> Check | None:
    try:
        if alg in _RSA_ALGORITHMS:
            return _rsa(key.members, alg)
        return _ed25519(key.members) if alg in _ED25519 else _ecdsa(key.members, alg)
    except (ValueError, MalformedToken):
        return None


def _number(members: Mapping[str, str], name: str) -> int:
    return int.from_bytes(decode_base64url(members[name], name))


def _rsa(members: Mapping[str, str], alg: str) -> Check:
    modulus, exponent = _number(members, "n"), _number(members, "e")
    if not _MIN_RSA_BITS <= modulus.bit_length() <= _MAX_RSA_BITS or exponent.bit_length() > 64:
        raise ValueError("the size of the RSA key is not accepted")
    verify = rsa.RSAPublicNumbers(exponent, modulus).public_key().verify
    digest = _HASHES[alg[2:]]
    scheme: padding.PKCS1v15 | padding.PSS = padding.PKCS1v15()
    if alg.startswith("PS"):
        scheme = padding.PSS(padding.MGF1(digest), digest.digest_size)
    return lambda signature, signed: verify(signature, signed, scheme, digest)


def _ecdsa(members: Mapping[str, str], alg: str) -> Check:
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature  # noqa: PLC0415

    curves: dict[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
    curve = curves[members["crv"]]
    size, order = (curve.key_size + 7) // 8, curve.group_order
    x, y = (decode_base64url(members[name], name) for name in "xy")
    if len(x) != size or len(y) != size:
        raise ValueError("the length of the coordinates doesn't fit the curve")
    verify = ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), curve).public_key().verify
    scheme = ec.ECDSA(_HASHES[alg[2:]])

    def check(signature: bytes, signed: bytes) -> None:
        # RFC 7518 §3.4: r and s of fixed length. Zeros verify anything in a broken library (CVE-2022-21449).
        if len(signature) != 2 * size:
            raise BadSignature
        r, s = int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
        if not (0 < r < order and 0 < s < order):
            raise BadSignature
        verify(encode_dss_signature(r, s), signed, scheme)

    return check


def _ed25519(members: Mapping[str, str]) -> Check:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    point = decode_base64url(members["x"], "x")
    if int.from_bytes(point, "little") & (2**255 - 1) in _SMALL_ORDER_Y:
        raise ValueError("point of small order")
    return Ed25519PublicKey.from_public_bytes(point).verify
