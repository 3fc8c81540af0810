"""An OpenID provider over real HTTP with real keys that behaves well until a test makes it misbehave.

    with MisbehavingProvider() as provider:
        provider.edit_id_token = lambda claims: claims | {"nonce": "another"}
        provider.answers["/token"] = Answer(status=503)

`GET /authorize` signs the one user in at once and sends the browser back. Codes are good once, for their redirect URI
and PKCE verifier. `requests` records all that was asked.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

TENANT = "org-3f0c2f5e-7f6b-4c59-9d0a-0f2f4b1b7c11"
SUBJECT = "user-1"
CLIENT_ID = "gate & client"
CLIENT_SECRET = "s3cret: ü+%&/"

type Claims = dict[str, Any]
type Edit = Callable[[Claims], Claims]


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def half_hash(token: str) -> str:
    """`at_hash` of OpenID Connect Core §3.1.3.6, for algorithms on SHA-256."""
    return base64url(hashlib.sha256(token.encode()).digest()[:16])


@dataclass(frozen=True)
class SigningKey:
    kid: str | None
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

    @property
    def alg(self) -> str:
        return "RS256" if isinstance(self.private, rsa.RSAPrivateKey) else "ES256"

    @property
    def jwk(self) -> Claims:
        """The public half as published, without `kid` when it has none."""
        named = {"use": "sig", "alg": self.alg} | ({"kid": self.kid} if self.kid is not None else {})
        if isinstance(self.private, rsa.RSAPrivateKey):
            numbers = self.private.public_key().public_numbers()
            return named | {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
        point = self.private.public_key().public_numbers()
        return named | {"kty": "EC", "crv": "P-256", "x": _number(point.x, 32), "y": _number(point.y, 32)}

    def sign(self, signing_input: bytes) -> bytes:
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(signing_input, padding.PKCS1v15(), SHA256())
        r, s = decode_dss_signature(self.private.sign(signing_input, ec.ECDSA(SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)


@cache
def rsa_key(kid: str | None, generation: int = 0) -> SigningKey:
    """One key per name and generation for the whole test run: they take a while to make."""
    del generation
    return SigningKey(kid, rsa.generate_private_key(public_exponent=65537, key_size=2048))


@cache
def ec_key(kid: str | None) -> SigningKey:
    return SigningKey(kid, ec.generate_private_key(ec.SECP256R1()))


def _number(value: int, length: int | None = None) -> str:
    return base64url(value.to_bytes(length or (value.bit_length() + 7) // 8))


def signed(claims: Mapping[str, Any], key: SigningKey, **header: Any) -> str:
    """A compact JWS; `header` members that are None are left out."""
    members = {"alg": key.alg, "kid": key.kid} | header
    segments = [{name: value for name, value in members.items() if value is not None}, claims]
    signing_input = ".".join(base64url(json.dumps(segment).encode()) for segment in segments)
    return f"{signing_input}.{base64url(key.sign(signing_input.encode()))}"


def unsigned(claims: Mapping[str, Any]) -> str:
    """`alg` none (RFC 7518 §3.6)."""
    return ".".join(base64url(json.dumps(segment).encode()) for segment in ({"alg": "none"}, claims)) + "."


@dataclass
class Answer:
    """What a path answers instead of behaving. `hold`: waits for this before anything is sent."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    hold: threading.Event | None = None
    drip: bool = False  # one byte every 50 ms, so that no single read times out

    @classmethod
    def of_json(cls, value: object, status: int = 200) -> Self:
        return cls(status=status, body=json.dumps(value).encode())


@dataclass(frozen=True)
class Recorded:
    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class _Grant:
    nonce: str
    challenge: str
    redirect_uri: str


class MisbehavingProvider:
    """Set its attributes to make it misbehave; `stop` ends it and lets go whatever it held back."""

    def __init__(self) -> None:
        self.key = rsa_key("first")
        self.published: list[Claims] = [self.key.jwk]
        self.audience = "https://api.example.test"
        self.edit_metadata: Edit = dict
        self.edit_id_token: Edit = dict
        self.edit_access_token: Edit = dict
        self.edit_token_answer: Edit = dict
        self.edit_authorization_answer: Edit = dict
        self.userinfo: Claims = {"sub": SUBJECT, "email": "demo@example.test", "name": "Demo"}
        self.sign_id_token: Callable[[Claims], str] = lambda claims: signed(claims, self.key)
        self.before_signing: Callable[[], None] = lambda: None
        self.answers: dict[str, Answer] = {}
        self.requests: list[Recorded] = []
        self._grants: dict[str, _Grant] = {}
        self._held: list[threading.Event] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10

            def do_GET(self) -> None:
                provider._serve(self)

            def do_POST(self) -> None:
                provider._serve(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class names it)
                """Silent."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that gave up is not news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        # A path of its own: the next provider on this port is another issuer, about which nothing is remembered.
        self._prefix = f"/{secrets.token_hex(8)}"
        self.issuer = f"http://127.0.0.1:{self._server.server_port}{self._prefix}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        for event in self._held:
            event.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def hold(self) -> threading.Event:
        """An event for `Answer.hold`, set at the latest by `stop`."""
        event = threading.Event()
        self._held.append(event)
        return event

    def asked(self, path: str) -> list[Recorded]:
        return [request for request in self.requests if request.path == path]

    def rotate(self, key: SigningKey, *, keep_published: bool = False) -> None:
        """Sign with `key` from now on; the old key is withdrawn unless it is kept."""
        self.key = key
        self.published = [*(self.published if keep_published else []), key.jwk]

    # What each path answers

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        length = int(handler.headers.get("Content-Length") or 0)
        form = _single(handler.rfile.read(length).decode())
        headers = {name.lower(): value for name, value in handler.headers.items()}
        path = parts.path.removeprefix(self._prefix)
        request = Recorded(handler.command, path, _single(parts.query), form, headers)
        self.requests.append(request)
        answer = self.answers.get(path) or self._behave(request)
        if answer.hold is not None:
            answer.hold.wait(30)
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        if answer.drip:
            for byte in answer.body:
                handler.wfile.write(bytes([byte]))
                handler.wfile.flush()
                time.sleep(0.05)
        else:
            handler.wfile.write(answer.body)

    def _behave(self, request: Recorded) -> Answer:
        match request.path:
            case "/.well-known/openid-configuration":
                return Answer.of_json(self.metadata())
            case "/jwks":
                return Answer.of_json({"keys": self.published})
            case "/authorize":
                return self._authorize(request.query)
            case "/token":
                return self._token(request)
            case "/userinfo":
                return Answer.of_json(self.userinfo)
            case _:
                return Answer(status=404)

    def metadata(self) -> Claims:
        """The discovery document, as edited."""
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks",
            "end_session_endpoint": f"{self.issuer}/end_session",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "authorization_response_iss_parameter_supported": True,
        }
        return self.edit_metadata(document)

    def _authorize(self, query: Mapping[str, str]) -> Answer:
        code = secrets.token_urlsafe(16)
        self._grants[code] = _Grant(query["nonce"], query["code_challenge"], query["redirect_uri"])
        answer = self.edit_authorization_answer({"code": code, "state": query["state"], "iss": self.issuer})
        joint = "&" if "?" in query["redirect_uri"] else "?"
        return Answer(status=302, headers={"Location": query["redirect_uri"] + joint + urlencode(answer)})

    def _token(self, request: Recorded) -> Answer:
        expected = base64.b64encode(
            f"{urlencode({'': CLIENT_ID})[1:]}:{urlencode({'': CLIENT_SECRET})[1:]}".encode()
        ).decode()
        posted = (request.form.get("client_id"), request.form.get("client_secret"))
        if request.headers.get("authorization") != f"Basic {expected}" and posted != (CLIENT_ID, CLIENT_SECRET):
            return Answer.of_json({"error": "invalid_client"}, 401)
        grant = self._grants.pop(request.form.get("code", ""), None)
        challenge = base64url(hashlib.sha256(request.form.get("code_verifier", "").encode()).digest())
        if (
            grant is None
            or request.form.get("grant_type") != "authorization_code"
            or request.form.get("redirect_uri") != grant.redirect_uri
            or challenge != grant.challenge
        ):
            return Answer.of_json({"error": "invalid_grant", "error_description": "no such code"}, 400)
        self.before_signing()
        access_token = self.access_token()
        id_token = self.sign_id_token(self.edit_id_token(self.id_token_claims(grant.nonce, access_token)))
        answer = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": 1800,
            "id_token": id_token,
            "scope": "openid",
        }
        return Answer.of_json(self.edit_token_answer(answer))

    def access_token(self) -> str:
        """A new access token of RFC 9068."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": SUBJECT,
            "aud": self.audience,
            "client_id": CLIENT_ID,
            "iat": now,
            "exp": now + 1800,
            "jti": secrets.token_urlsafe(8),
            "scope": "openid profile",
            "tenant_id": TENANT,
        }
        return signed(self.edit_access_token(claims), self.key, typ="at+jwt")

    def id_token_claims(self, nonce: str, access_token: str) -> Claims:
        now = int(time.time())
        return {
            "iss": self.issuer,
            "sub": SUBJECT,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 600,
            "auth_time": now,
            "nonce": nonce,
            "at_hash": half_hash(access_token),
        }


def _single(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}


def basic_credentials(authorization: str) -> tuple[str, str]:
    """Client id and secret of a Basic header, decoded as RFC 6749 §2.3.1 encodes them."""
    client_id, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
    return unquote_plus(client_id), unquote_plus(secret)
