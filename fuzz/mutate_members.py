"""Mutations of header members and claims: signed again by the issuer, or under the old signature."""

from __future__ import annotations

from random import Random

from fuzz import values
from fuzz.building import Base, Case, joined, json_bytes, pick, signed_by_issuer
from fuzz.world import LEEWAY, NOW

type Members = dict[str, object]


def _claim_value(rng: Random, name: str) -> object:
    special = {
        "iss": values.ISSUERS,
        "aud": values.AUDIENCES,
        "tenant_id": values.TENANTS,
        "organization_id": values.TENANTS,
        "org_id": values.TENANTS,
        "organization": values.TENANTS,
        "roles": values.ROLES,
        "groups": values.ROLES,
        "realm_access": values.ROLES,
        "token_use": values.KINDS,
        "typ": values.KINDS,
        "scope": values.SCOPES,
        "scp": values.SCOPES,
        "iat": values.TIMES,
        "exp": values.TIMES,
        "nbf": values.TIMES,
        "auth_time": values.TIMES,
    }.get(name)
    draw = rng.random()
    if special is not None and draw < 0.7:
        return pick(rng, special)
    if draw < 0.9:
        return pick(rng, values.ODD)
    return "".join(chr(int(rng.random() * 0x250)) for _ in range(int(rng.random() * 12)))


def mutate_claims(rng: Random, claims: Members) -> Members:
    """Drop, replace or shift in time one to three claims."""
    for _ in range(1 + int(rng.random() ** 3 * 3)):
        draw = rng.random()
        if draw < 0.15:
            claims.pop(pick(rng, list(claims)), None) if claims else None
        elif draw < 0.4:
            name = pick(rng, values.NAMES_OF_TIMES)
            now = claims.get(name)
            jump = pick(rng, (1, 10, 59, 60, 61, 600, 3000, 3600, 86400)) * pick(rng, (-1, 1))
            part = pick(rng, (0, 0, 0.5, rng.random()))
            claims[name] = now + jump + part if isinstance(now, int | float) else pick(rng, values.TIMES)
        else:
            name = pick(rng, values.NAMES_OF_CLAIMS)
            claims[name] = _claim_value(rng, name)
    return claims


def mutate_header(rng: Random, header: Members) -> Members:
    """Drop, change or add one or two members."""
    for _ in range(1 + int(rng.random() ** 3 * 2)):
        draw = rng.random()
        if draw < 0.1:
            header.pop(pick(rng, ("alg", "kid", "typ")), None)
        elif draw < 0.3:
            header["alg"] = pick(rng, values.ALGORITHMS)
        elif draw < 0.5:
            header["kid"] = pick(rng, values.KIDS)
        elif draw < 0.65:
            header["typ"] = pick(rng, values.TYPES)
        elif draw < 0.75:
            name, value = pick(rng, values.REFUSED_HEADERS)
            header[name] = value
        elif draw < 0.83:
            name, value = pick(rng, values.HINTS)
            header[name] = value
        elif draw < 0.9:
            header[pick(rng, ("alg", "kid", "typ", "cty", "crit", "jwk"))] = pick(rng, values.ODD)
        else:
            header[pick(rng, values.UNKNOWN_HEADERS)] = pick(rng, values.ODD)
    return header


def claims_signed_again(rng: Random, base: Base) -> Case:
    return signed_by_issuer(base, json_bytes(base.header), json_bytes(mutate_claims(rng, {**base.claims})))


def claims_under_the_old_signature(rng: Random, base: Base) -> Case:
    header, _, signature = base.segments
    payload = joined(b"", json_bytes(mutate_claims(rng, {**base.claims})))[1:]
    return Case(f"{header}.{payload}.{signature}")


def header_signed_again(rng: Random, base: Base) -> Case:
    return signed_by_issuer(base, json_bytes(mutate_header(rng, {**base.header})), json_bytes(base.claims))


def header_under_the_old_signature(rng: Random, base: Base) -> Case:
    _, payload, signature = base.segments
    header = joined(json_bytes(mutate_header(rng, {**base.header})), b"")[:-1]
    return Case(f"{header}.{payload}.{signature}")


def both_signed_again(rng: Random, base: Base) -> Case:
    header, claims = mutate_header(rng, {**base.header}), mutate_claims(rng, {**base.claims})
    return signed_by_issuer(base, json_bytes(header), json_bytes(claims))


def harmless_members(rng: Random, base: Base) -> Case:
    """Reorder members, add null members and members that a recipient ignores (RFC 7515 §4, RFC 7519 §4)."""
    header, claims = list(base.header.items()), list(base.claims.items())
    rng.shuffle(header)
    rng.shuffle(claims)
    if rng.random() < 0.5:
        header.append((f"x-{int(rng.random() * 1e6)}", pick(rng, ("", 0, True, ["a"], {"a": 1}))))
    if rng.random() < 0.3:
        header.append(pick(rng, values.HINTS))
    if rng.random() < 0.3:
        claims.append((pick(rng, ("nbf", "nonce", "events", "token_use", "typ", "at_hash", "scp")), None))
    claims += [
        (f"https://claims.example/{int(rng.random() * 1e6)}", pick(rng, ("", 0, None, [1], {"a": []})))
        for _ in range(int(rng.random() * 4))
    ]
    return signed_by_issuer(base, json_bytes(dict(header)), json_bytes(dict(claims)), must_pass=True)


def harmless_times(rng: Random, base: Base) -> Case:
    """Set times at which the token is still valid."""
    issued = NOW + LEEWAY - int(rng.random() * 3600)
    soonest = max(issued, NOW - LEEWAY) + 1
    expires = soonest + int(rng.random() * (issued + 3601 - soonest))
    times: dict[str, object] = {"iat": issued, "exp": expires}
    if expires - issued < 3600 and rng.random() < 0.3:
        times = {"iat": issued - rng.random() / 2, "exp": expires + rng.random() / 2}
    if rng.random() < 0.3:
        times["nbf"] = issued - int(rng.random() * 100)
    claims = {**base.claims, **times, "sub": f"user-{int(rng.random() * 1e9)}"}
    return signed_by_issuer(base, json_bytes(base.header), json_bytes(claims), must_pass=True)
