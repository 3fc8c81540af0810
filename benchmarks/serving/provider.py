"""An OpenID provider for load: it responds at once, with access tokens that were signed before.

It serves in the process of the load generator, or as a separate process: a generator that sends more than the servers
hold keeps its event loop too busy to respond in time.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import pickle
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from benchmarks.serving.messages import content_length
from benchmarks.stand_ins import AUDIENCE, CLIENT_ID
from tenantgate.sessions.models import SessionTokens

SCOPE = "openid orders:read"
_LIFETIME = 3600
# A connection beyond it waits a second for the next attempt, and then three.
_BACKLOG = 1024


class _User(NamedTuple):
    name: str
    access_token: str


class Provider:
    """Discovery, keys, and a token endpoint. `redeemed` counts the refresh tokens, each of which it accepts once.

    A user's access token is signed by `sign` and repeated by each refresh, with a new refresh token. A code is the
    nonce of its sign-in, so that no page of the provider is needed; the users of sign-ins take turns.
    """

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._users: dict[str, _User] = {}
        self._signing_in: list[_User] = []
        self._sign_ins = 0
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self.issuer = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.redeemed = 0

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True) | {"kid": "1", "use": "sig"}]}

    def sign(self, number: int, tenant_id: str) -> SessionTokens:
        """Sign the next access token of a user, and return the tokens with which the session begins."""
        name = f"user-{number}"
        signed = self._access_token(name, tenant_id)
        refresh_token = self._refresh_token(_User(name, signed))
        return SessionTokens(signed, self._id_token(name), refresh_token)

    def sign_in(self, number: int, tenant_id: str) -> None:
        """Let this user sign in, when it is its turn."""
        name = f"user-{number}"
        self._signing_in.append(_User(name, self._access_token(name, tenant_id)))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve in this process."""
        server = await asyncio.start_server(self._serve, sock=self._socket, backlog=_BACKLOG)
        try:
            yield
        finally:
            server.close()

    @contextmanager
    def serving_apart(self) -> Iterator[int]:
        """Serve in a separate process, with everything signed until now, and yield its process id."""
        listening = self._socket.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.serving.provider", str(listening)],
            stdin=subprocess.PIPE,
            pass_fds=[listening],
        )
        try:
            assert process.stdin is not None
            with process.stdin as stdin:
                stdin.write(pickle.dumps(self))
            yield process.pid
        finally:
            process.terminate()
            process.wait()
            self._socket.close()

    def __getstate__(self) -> dict[str, Any]:
        plain = serialization.NoEncryption()
        key = self._key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, plain)
        return {name: value for name, value in vars(self).items() if name != "_socket"} | {"_key": key}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        key = serialization.load_der_private_key(state["_key"], None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key

    async def serve_forever(self, listening: socket.socket) -> None:
        server = await asyncio.start_server(self._serve, sock=listening, backlog=_BACKLOG)
        await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                body = await reader.readexactly(content_length(head))
                writer.write(self._respond(head, body))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _respond(self, head: bytes, body: bytes) -> bytes:
        path = head.split(b" ", 2)[1]
        if path == b"/token":
            return self._token_response(parse_qs(body.decode()))
        document = self.jwks if path == b"/jwks" else self._metadata()
        return _response(json.dumps(document).encode())

    def _token_response(self, form: dict[str, list[str]]) -> bytes:
        fields: dict[str, Any] = {"token_type": "Bearer", "expires_in": _LIFETIME}
        if "code" in form:
            user = self._signing_in[self._sign_ins % len(self._signing_in)]
            self._sign_ins += 1
            fields["id_token"] = self._id_token(user.name, nonce=form["code"][0])
        else:
            # Each refresh token is known once: a second redemption would be a fault of the product.
            known = self._users.pop(form["refresh_token"][0], None)
            if known is None:
                return _response(b'{"error":"invalid_grant"}', status=b"400 Bad Request")
            user = known
            self.redeemed += 1
        fields |= {"access_token": user.access_token, "refresh_token": self._refresh_token(user)}
        return _response(json.dumps(fields).encode())

    def _refresh_token(self, user: _User) -> str:
        token = base64.urlsafe_b64encode(os.urandom(32)).decode()
        self._users[token] = user
        return token

    def _access_token(self, name: str, tenant_id: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": name,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + _LIFETIME,
            "jti": uuid.uuid4().hex,
            "client_id": CLIENT_ID,
            "scope": SCOPE,
            "tenant_id": tenant_id,
        }
        return jwt.encode(claims, self._key, "ES256", {"kid": "1", "typ": "at+jwt"})

    def _id_token(self, name: str, *, nonce: str | None = None) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {"iss": self.issuer, "sub": name, "aud": CLIENT_ID, "iat": now, "exp": now + _LIFETIME}
        if nonce is not None:
            claims["nonce"] = nonce
        return jwt.encode(claims, self._key, "ES256", {"kid": "1"})

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "end_session_endpoint": f"{self.issuer}/end_session",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
        }


def _response(body: bytes, *, status: bytes = b"200 OK") -> bytes:
    head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (status, len(body))
    return head + body


def main() -> None:
    provider: Provider = pickle.load(sys.stdin.buffer)
    asyncio.run(provider.serve_forever(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
