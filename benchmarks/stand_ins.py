"""Stand-ins for the benchmarks: API Gateway's events, and an OpenID provider that accepts everything."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tenantgate_cli.stack.servers.postgres import PostgresAddresses

BASE_URL = "http://127.0.0.1:3000"
AUDIENCE, CLIENT_ID = "tenantgate-api", "tenantgate-dev"
TENANT = "org-0192f5a8-7c1e-7d3a-9b52-3f6f0c1d2e4b"
SIGNED_IN: dict[str, str | int] = {
    "user_id": "user-1",
    "tenant_id": TENANT,
    "issuer": "https://issuer.example.test/",
    "scopes": "openid profile",
    "expires_at": 4102444800,
    "auth_method": "bearer",
    "request_id": "request-0000000001",
}


def http_event(
    method: str,
    path: str,
    *,
    query: str = "",
    route: str | None = None,
    headers: dict[str, str] | None = None,
    cookies: dict[str, str] | None = None,
    body: object = None,
    authorizer: dict[str, str | int] | None = None,
) -> dict[str, Any]:
    """Return an event of payload format 2.0; `cookies` is a `cookie` header, which API Gateway splits into a list."""
    key = route or f"{method} {path}"
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "127.0.0.1:3000", "accept": "*/*", **(headers or {})},
        "queryStringParameters": {name: ",".join(values) for name, values in parse_qs(query).items()},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "domainName": "127.0.0.1",
            "domainPrefix": "127",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "benchmark",
            },
            "requestId": uuid.uuid4().hex[:15] + "=",
            "routeKey": key,
            "stage": "$default",
            "time": "21/Nov/2026:20:00:00 +0000",
            "timeEpoch": 1795291200000,
        },
        "isBase64Encoded": False,
    }
    if cookies and cookies["cookie"]:
        event["cookies"] = cookies["cookie"].split("; ")
    if body is not None:
        event["headers"]["content-type"] = "application/json"
        event["body"] = json.dumps(body)
    if authorizer is not None:
        event["requestContext"]["authorizer"] = {"lambda": authorizer}
    return event


class Provider:
    """Discovery, key set and token endpoint; a code is the nonce for the ID token.

    Also writes its key set to `jwks_file`, as a build would bundle it.
    """

    def __init__(self, jwks_file: Path) -> None:
        self.jwks_file = jwks_file
        self._key = rsa.generate_private_key(65537, 2048)
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._respond(provider.metadata if self.path.endswith("openid-configuration") else provider.jwks)

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                self._respond(provider.tokens(form["code"][0]))

            def _respond(self, document: dict[str, Any]) -> None:
                body = json.dumps(document).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self.jwks_file.write_text(json.dumps(self.jwks), encoding="utf-8")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True) | {"kid": "1", "use": "sig"}]}

    @property
    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "end_session_endpoint": f"{self.issuer}/end_session",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def access_token(self, *, issuer: str = "") -> str:
        now = int(time.time())
        claims = {
            "iss": issuer or self.issuer,
            "sub": "user-1",
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 3600,
            "jti": uuid.uuid4().hex,
            "client_id": CLIENT_ID,
            "scope": "openid profile",
            "tenant_id": TENANT,
        }
        return jwt.encode(claims, self._key, "RS256", {"kid": "1", "typ": "at+jwt"})

    def tokens(self, nonce: str) -> dict[str, Any]:
        access_token = self.access_token()
        half = hashlib.sha256(access_token.encode()).digest()[:16]
        now = int(time.time())
        id_token = {
            "iss": self.issuer,
            "sub": "user-1",
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 3600,
            "nonce": nonce,
            "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
        }
        return {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": 3600,
            "id_token": jwt.encode(id_token, self._key, "RS256", {"kid": "1"}),
        }


def development_variables(addresses: PostgresAddresses, provider: Provider) -> tuple[dict[str, str], dict[str, str]]:
    """Return variables and secrets for `read_template`: a local stack that signs in at `provider`."""
    variables = {
        "ENVIRONMENT": "development",
        "LOG_LEVEL": "INFO",
        "PUBLIC_BASE_URL": BASE_URL,
        "ALLOWED_ORIGINS": BASE_URL,
        "DATABASE_URL": addresses.app_url,
        "DATABASE_OWNER_URL": addresses.owner_url,
        "OIDC_ISSUER_URL": provider.issuer,
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_AUDIENCE": AUDIENCE,
        "OIDC_JWKS_FILE": str(provider.jwks_file),
    }
    secrets = {
        "OIDC_CLIENT_SECRET": uuid.uuid4().hex,
        "COOKIE_SEALING_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
    }
    return variables, secrets
