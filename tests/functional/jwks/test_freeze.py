"""A process that is frozen during a refresh, as by Lambda between invocations, and resumed long after."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Self

import pytest

from tests.fixtures.providers.issuer_server import IssuerServer, send_json
from tests.fixtures.tokens.issuer import public_jwks

# Obeys line by line: `find <kid>` says whether the key is known, without fetching inline; `wait` waits for refreshes.
_CHILD = """
import sys, threading
from tenantgate.errors.tokens import UnknownKey
from tenantgate.tokens.fetch import fetch_json
from tenantgate.tokens.jwks import CachedIssuerKeys, Timings
from tenantgate.tokens.keys import KeyFetchNeeded

url = sys.argv[1]
keys = CachedIssuerKeys(
    url,
    lambda timeout: fetch_json(url, timeout=timeout),
    timings=Timings(
        ttl=3600, refresh_ahead=0.0, retries=0, background_budget=1.0, attempt=30.0, unknown_kid_burst=0, freeze=0.3
    ),
)
keys.find("rsa-1", "RS256", fetch=True)
print("ready", flush=True)
for line in sys.stdin:
    word, _, kid = line.strip().partition(" ")
    if word == "wait":
        for thread in threading.enumerate():
            if thread.name == "tenantgate-jwks-refresh":
                thread.join(20)
        print("waited", flush=True)
        continue
    try:
        keys.find(kid, "RS256", fetch=False)
        print("known", flush=True)
    except (UnknownKey, KeyFetchNeeded):
        print("unknown", flush=True)
"""


class _Child:
    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CHILD, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        assert self._line() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, words: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()
        return self._line()

    def freeze(self) -> None:
        os.kill(self._process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def resume(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system can't stop a process")
def test_a_refresh_that_resumes_past_its_deadline_is_discarded_and_repeated(issuer: IssuerServer) -> None:
    asked, held = threading.Event(), threading.Event()

    def respond_into_the_freeze(request: BaseHTTPRequestHandler) -> None:
        issuer.custom_response = None
        asked.set()
        held.wait(20)
        send_json(request, public_jwks("rsa-1", "rsa-late"))

    with _Child(f"{issuer.url}/jwks") as child:
        issuer.custom_response = respond_into_the_freeze
        assert child.ask("find rsa-1") == "known", "served during the refresh"
        assert asked.wait(20)
        child.freeze()
        # When the process resumes, long after the refresh's deadline of a second, the response is in its socket.
        held.set()
        time.sleep(1.6)
        child.resume()
        assert child.ask("wait") == "waited"
        issuer.jwks = public_jwks("rsa-1", "rsa-new")
        assert child.ask("find rsa-late") == "unknown", "the age of that response is unknown"
        assert child.ask("wait") == "waited"
        assert child.ask("find rsa-1") == "known", "the old keys serve on"
        # On a busy machine a refresh may take longer than a second, and is repeated.
        tries = 20
        while (found := child.ask("find rsa-new")) != "known" and tries:
            tries -= 1
            assert child.ask("wait") == "waited"
            time.sleep(0.5)
        assert found == "known", "and a new refresh has brought the new ones"
