"""What tests of the HTTP side share: settings, an issuer with real keys, and the log read back."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from jwt.algorithms import ECAlgorithm

from tenantgate.settings.model import Settings

ISSUER = "https://issuer.example.test"
AUDIENCE = "tenantgate-api"
ORIGIN = "https://app.example.test"
TENANT = f"org-{uuid.UUID(int=7)}"
# The members that every line of every function has (requirement G1, and the service).
LOG_MEMBERS = frozenset(
    {"timestamp", "level", "logger", "message", "service", "request_id", "user_id", "tenant_id", "context"}
)


def make_settings(**variables: str) -> Settings:
    """Settings of a test environment with one allowed origin."""
    return Settings.from_mapping(
        {
            "ENVIRONMENT": "test",
            "LOG_LEVEL": "DEBUG",
            "ALLOWED_ORIGINS": ORIGIN,
            "PUBLIC_BASE_URL": "https://gate.example.test",
            "OIDC_ISSUER_URL": ISSUER,
            "OIDC_AUDIENCE": AUDIENCE,
            **variables,
        }
    )


@dataclass(frozen=True)
class Issuer:
    """Signs access tokens whose key set lies in a file, as a bundle does: nothing is fetched."""

    key: EllipticCurvePrivateKey
    jwks_file: Path

    @classmethod
    def in_folder(cls, folder: Path) -> Issuer:
        key = generate_private_key(SECP256R1())
        public = json.loads(ECAlgorithm.to_jwk(key.public_key())) | {"kid": "k1", "alg": "ES256", "use": "sig"}
        file = folder / "jwks.json"
        file.write_text(json.dumps({"keys": [public]}))
        return cls(key, file)

    def settings(self, **variables: str) -> Settings:
        return make_settings(**{"OIDC_JWKS_FILE": str(self.jwks_file), **variables})

    def token(self, **claims: object) -> str:
        """A good token unless `claims` spoil it; a claim of None is left out."""
        now = int(time.time())
        payload = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "user-1",
            "iat": now,
            "exp": now + 600,
            "jti": "t1",
            "client_id": "app",
            "tenant_id": TENANT,
            "scope": "read write",
        } | claims
        return jwt.encode(
            {name: value for name, value in payload.items() if value is not None},
            self.key,
            algorithm="ES256",
            headers={"kid": "k1", "typ": "at+jwt"},
        )


def log_lines(text: str) -> list[dict[str, Any]]:
    """Every line parsed; a line that is no JSON object with the members of the schema fails the test."""
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        assert line.keys() >= LOG_MEMBERS, line
        assert isinstance(line["context"], dict)
    return lines


def api_event(
    method: str = "GET",
    path: str = "/",
    *,
    headers: dict[str, str] | None = None,
    cookies: list[str] | None = None,
    query: str = "",
    body: str | None = None,
    authorizer: dict[str, object] | None = None,
) -> dict[str, Any]:
    """An event as an HTTP API sends it in payload format 2.0."""
    context: dict[str, Any] = {
        "accountId": "123456789012",
        "apiId": "a1b2c3d4e5",
        "domainName": "gate.example.test",
        "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test"},
        "requestId": "JKJaXmPLvHcESHA=",
        "routeKey": f"{method} {path}",
        "stage": "$default",
        "timeEpoch": 1583348638390,
    }
    if authorizer is not None:
        context["authorizer"] = {"lambda": authorizer}
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "gate.example.test", "x-forwarded-proto": "https", **(headers or {})},
        "requestContext": context,
        "isBase64Encoded": False,
    }
    if cookies is not None:
        event["cookies"] = cookies
    if body is not None:
        event["body"] = body
    return event


def lambda_context(request_id: str = "f5b4cdd4-0d5a-4a9c-8f1e-0d8a5d4e6c11") -> Any:
    """What our handlers use of Lambda's context."""
    return SimpleNamespace(aws_request_id=request_id, function_name="test", memory_limit_in_mb=512)
