"""Public keys of an issuer: JWKs (RFC 7517, 7518 §6, 8037) read strictly, found by `kid` and `alg`, ready to verify.

A key serves only the algorithms of its own type and curve, so no header can turn it into something else
(RFC 8725 §3.1, §3.2). `EdDSA` (RFC 8037) and `Ed25519` (RFC 9864 §2.2) are two names of one algorithm for a key on
Ed25519.
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
"""A check, and the generation of the key set that it is from: what it proves holds while that is the current one."""

MAX_KEYS = 100
# RFC 7517 §4.5: keys of one `kid` are told apart by trying them. Each try costs as much as a signature.
MAX_SAME_KID = 4
_MIN_RSA_BITS = 2048
_MAX_RSA_BITS = 8192

_HASHES: Mapping[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_ED25519 = frozenset({"EdDSA", "Ed25519"})
_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}

# Points of small order on edwards25519: any signature can be made to fit them.
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
    """Only asking the issuer can tell, and the caller allowed no fetch."""


class _Jwk(Record):
    __slots__ = ()

    kid: str | None
    algorithms: frozenset[str]
    members: Mapping[str, str]

    @property
    def identity(self) -> tuple[str | None, frozenset[str], tuple[tuple[str, str], ...]]:
        return self.kid, self.algorithms, tuple(sorted(self.members.items()))


class KeySet:
    """The usable keys of one JWK set. Keys are built when first asked for: elliptic curves are a costly import."""

    def __init__(self, keys: list[_Jwk], skipped: int) -> None:
        # Published twice, a key is still one key.
        self._keys = list({key.identity: key for key in keys}.values())
        self._checks: dict[tuple[str | None, str], Check | None] = {}
        self.identities = frozenset(key.identity for key in keys)
        self.skipped = skipped

    def __len__(self) -> int:
        return len(self._keys)

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> KeySet:
        """The keys of a JWK set that are meant for verifying; others are skipped (RFC 7517 §5).

        Raises `ValueError` when it is no JWK set, too large, or has no usable key.
        """
        entries = document.get("keys")
        if not isinstance(entries, list) or len(entries) > MAX_KEYS:
            raise ValueError(f"not a JWK set of at most {MAX_KEYS} keys")
        keys = [key for entry in entries if (key := _read(entry)) is not None]
        if not keys:
            raise ValueError("the JWK set has no key that could verify a signature")
        return cls(keys, skipped=len(entries) - len(keys))

    def find(self, kid: str | None, alg: str) -> Check | None:
        """The check by the keys of this `kid` that fit `alg`; without `kid`, only if a single key fits.

        Of the usable keys of one `kid`, the first `MAX_SAME_KID` in the set's order are tried.
        """
        name = (kid, alg)
        try:
            return self._checks[name]
        except KeyError:
            fitting = [key for key in self._keys if alg in key.algorithms and kid in (None, key.kid)]
            if len(fitting) != 1 and (kid is None or not fitting):
                # Not remembered: a flood of made-up kids must not fill the memory.
                return None
        checks = [check for key in fitting if (check := _build(key, alg)) is not None][:MAX_SAME_KID]
        check = _any_of(checks) if len(checks) > 1 else checks[0] if checks else None
        self._checks[name] = check
        return check


class HeldKeys:
    """What is held of one issuer at one moment: replaced as a whole, so that no reader sees half of a change.

    `generation` changes when a key disappeared: what was verified before no longer counts. The times are epoch seconds;
    `tend_at` is when `find` wants to be called again, even by a caller that remembers the result.
    """

    # Not a record: its members are read with every token, and these are read faster. `found` is what `find` returned.
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
    # Some issuers write every member that they know of, and leave empty what doesn't apply: null, "", `key_ops: []`.
    jwk = {name: value for name, value in entry.items() if value is not None and value not in ("", [])}
    operations, kid, kty, crv = jwk.get("key_ops", ["verify"]), jwk.get("kid"), jwk.get("kty"), jwk.get("crv")
    if not isinstance(operations, list) or "verify" not in operations or not isinstance(kid, str | None):
        return None
    # A set that publishes private keys (`d`) has given them away.
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
        raise ValueError("RSA key of a size that is not accepted")
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
        raise ValueError("coordinates of a length that doesn't fit the curve")
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
