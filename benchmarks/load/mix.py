"""The requests of the load: session cookies and bearer tokens, reads and changes, in a fixed ratio."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

from benchmarks.serving.messages import Connections, Response, http_request
from benchmarks.serving.sessions import Started

# A client that waits longer gives up: the request has timed out.
PATIENCE_SECONDS = 15.0

# Requests of each kind in 40.
SHARES = {
    "validate, bearer": 10,
    "validate, cookie": 8,
    "me, bearer": 5,
    "me, cookie": 3,
    "sessions, cookie": 4,
    "refresh": 4,
    "sign in, begin": 2,
    "sign in, complete": 2,
    "sign out": 2,
}
_SESSION_COOKIE = re.compile(rb"\r\nset-cookie: __Host-tg_session=([^;\r]+)", re.IGNORECASE)
_ANY_COOKIE = re.compile(rb"\r\nset-cookie: ([^;\r]+)", re.IGNORECASE)
_CODE = re.compile(rb'"code":"([A-Z]+_\d+)"')
_SHED = ("429", "503")

type Result = Literal["served", "shed", "failed"]


class Record(NamedTuple):
    """A request. `due` is its intended time, and `seconds` counts from there; `late` is the generator's own delay.

    `detail`: status and error code, or the reason why there was no response.
    """

    kind: str
    result: Result
    detail: str
    due: float
    seconds: float
    late: float


class _Attempt(NamedTuple):
    """A sign-in that has begun."""

    cookie: str
    query: str


class Mix:
    """Sends requests. A session is refreshed by one request at a time, the least recently refreshed one first."""

    def __init__(self, connections: Connections, sessions: Sequence[Started], *, seed: int = 1) -> None:
        self._connections = connections
        self._secrets = [session.secret for session in sessions]
        self._tokens = [session.access_token for session in sessions]
        self._turns = deque(range(len(sessions)))
        self._attempts: deque[_Attempt] = deque()
        self._signed_in: deque[str] = deque()
        self._random = random.Random(seed)
        kinds = [kind for kind, share in SHARES.items() for _ in range(share)]
        self._random.shuffle(kinds)
        self._kinds = kinds
        self._sent = 0
        self._send: dict[str, Callable[[], Awaitable[Response]]] = {
            "validate, bearer": lambda: self._get("validate", self._bearer()),
            "validate, cookie": lambda: self._get("validate", self._cookie()),
            "me, bearer": lambda: self._get("me", self._bearer()),
            "me, cookie": lambda: self._get("me", self._cookie()),
            "sessions, cookie": lambda: self._get("sessions", self._cookie()),
            "refresh": self._refresh,
            "sign in, begin": self._begin,
            "sign in, complete": self._complete,
            "sign out": self._sign_out,
        }

    def next_kind(self) -> str:
        """Return the kind of the next request. One for which there is no session yet becomes the one before it."""
        kind = self._kinds[self._sent % len(self._kinds)]
        self._sent += 1
        if kind == "sign out" and not self._signed_in:
            kind = "sign in, complete"
        if kind == "sign in, complete" and not self._attempts:
            kind = "sign in, begin"
        return kind if kind != "refresh" or self._turns else "validate, bearer"

    async def send(self, kind: str, due: float) -> Record:
        """Send a request of this kind, which was due at this time of `time.perf_counter`."""
        late = time.perf_counter() - due
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                response = await self._send[kind]()
        except TimeoutError:
            result, detail = _failed(f"no response within {PATIENCE_SECONDS:g} s")
        except asyncio.IncompleteReadError:
            result, detail = _failed("closed without a response")
        except OSError as error:
            result, detail = _failed(type(error).__name__)
        else:
            result, detail = judge(response)
        return Record(kind, result, detail, due, time.perf_counter() - due, late)

    def _bearer(self) -> str:
        return f"authorization: Bearer {self._random.choice(self._tokens)}"

    def _cookie(self) -> str:
        return _session(self._random.choice(self._secrets))

    async def _get(self, name: str, credential: str) -> Response:
        return await self._connections.send(http_request("GET", f"/api/v1/auth/{name}", credential))

    async def _refresh(self) -> Response:
        place = self._turns.popleft()
        request = http_request("POST", "/api/v1/auth/refresh", _session(self._secrets[place]))
        # Only with a response: without one, the session may have another secret that is unknown here.
        response = await self._connections.send(request)
        if (replaced := _SESSION_COOKIE.search(response.head)) is not None:
            self._secrets[place] = replaced[1].decode()
        self._turns.append(place)
        return response

    async def _begin(self) -> Response:
        request = http_request("GET", "/api/v1/auth/login", "accept: application/json")
        response = await self._connections.send(request)
        cookie = _ANY_COOKIE.search(response.head)
        if response.status == "200" and cookie is not None:
            asked = parse_qs(urlsplit(json.loads(response.body)["authorization_url"]).query)
            # The stand-in provider takes the nonce for the code.
            query = f"code={quote(asked['nonce'][0])}&state={quote(asked['state'][0])}"
            self._attempts.append(_Attempt(cookie[1].decode(), query))
        return response

    async def _complete(self) -> Response:
        attempt = self._attempts.popleft()
        path = f"/api/v1/auth/callback?{attempt.query}"
        response = await self._connections.send(http_request("GET", path, f"cookie: {attempt.cookie}"))
        if (signed_in := _SESSION_COOKIE.search(response.head)) is not None:
            self._signed_in.append(signed_in[1].decode())
        return response

    async def _sign_out(self) -> Response:
        secret = self._signed_in.popleft()
        response = await self._connections.send(http_request("POST", "/api/v1/auth/logout", _session(secret)))
        if response.status in _SHED:
            self._signed_in.append(secret)
        return response


def judge(response: Response) -> tuple[Result, str]:
    """Return the result of a response, and its detail. A shed one must have `Retry-After`."""
    status = response.status
    if status in ("200", "303"):
        return "served", status
    code = _CODE.search(response.body)
    detail = f"{status} {code[1].decode()}" if code else status
    if status not in _SHED:
        return _failed(detail)
    if b"\r\nretry-after: " not in response.head.lower():
        return _failed(f"{detail} without Retry-After")
    return "shed", detail


def _failed(detail: str) -> tuple[Result, str]:
    return "failed", detail


def _session(secret: str) -> str:
    return f"cookie: __Host-tg_session={secret}"
