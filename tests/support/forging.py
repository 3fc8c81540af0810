"""The tools of a forger: tokens with any header, payload or signature."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

from tenantgate.errors.tokens import TokenError
from tests.support.tokens import b64, good_claims, sign, sign_raw

type Build = Callable[[], str]


class Forged(NamedTuple):
    name: str
    build: Build
    error: type[TokenError]


def header_text(**members: object) -> str:
    whole = {"alg": "RS256", "kid": "rsa-1", "typ": "at+jwt"} | members
    return json.dumps({name: value for name, value in whole.items() if value is not None})


def payload_text(**changes: object) -> str:
    return json.dumps(good_claims(**changes))  # type: ignore[arg-type]


def unsigned(header: str, signature: str = "") -> str:
    return f"{b64(header)}.{b64(payload_text())}.{signature}"


def with_claims(**changes: object) -> Build:
    return lambda: sign(good_claims(**changes))  # type: ignore[arg-type]


def with_header(**members: object) -> Build:
    return lambda: sign(good_claims(), **members)  # type: ignore[arg-type]


def signed_raw(header: str | bytes | None = None, payload: str | bytes | None = None, kid: str = "rsa-1") -> Build:
    return lambda: sign_raw(
        header_text() if header is None else header, payload_text() if payload is None else payload, kid=kid
    )
