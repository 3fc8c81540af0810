"""The PUT of a custom resource's response: its form, its attempts, and its end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from functions.migration_runner import custom_resource
from functions.migration_runner.custom_resource import ResponseLost, put
from tests.fixtures.migrations.response_url import SIGNATURE, ResponseUrl, response_url


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ResponseUrl]:
    monkeypatch.setattr(custom_resource, "_PAUSES", (0.0,) * 5)
    with response_url() as made:
        yield made


def test_the_signed_url_is_used_unchanged(server: ResponseUrl) -> None:
    put(urlsplit(server.url), b"{}", seconds=10)
    [received] = server.received
    assert received.target == f"/arn%3Aaws%3Astack?X-Signature={SIGNATURE}"
    # The signature is one of a request without a content type.
    assert received.content_type == ""
    assert received.body == b"{}"


@pytest.mark.parametrize("statuses", [[500], [503, 503, 403], [0, 0], [0, 500, 429]], ids=str)
def test_an_attempt_that_fails_is_repeated(server: ResponseUrl, statuses: list[int]) -> None:
    server.statuses = statuses[:]
    put(urlsplit(server.url), b"response", seconds=10)
    assert [received.body for received in server.received] == [b"response"] * (len(statuses) + 1)


@pytest.mark.parametrize(("status", "problem"), [(500, "status 500"), (0, "RemoteDisconnected")])
def test_a_response_that_is_never_taken_is_lost(server: ResponseUrl, status: int, problem: str) -> None:
    server.statuses = [status] * 6
    with pytest.raises(ResponseLost, match=rf"\A{problem}\Z"):
        put(urlsplit(server.url), b"response", seconds=10)
    assert len(server.received) == 6


def test_a_redirect_is_not_followed(server: ResponseUrl) -> None:
    server.statuses = [307] * 6
    with pytest.raises(ResponseLost, match=r"\Astatus 307\Z"):
        put(urlsplit(server.url), b"response", seconds=10)
    assert {received.target.endswith("&elsewhere") for received in server.received} == {False}


def test_the_attempts_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(custom_resource, "_PAUSES", (60.0,) * 5)
    began = time.monotonic()
    with pytest.raises(ResponseLost, match=r"\AConnectionRefusedError\Z"):
        put(urlsplit("http://127.0.0.1:1/a"), b"response", seconds=1)
    assert time.monotonic() - began < 30
