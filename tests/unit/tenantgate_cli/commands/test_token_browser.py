"""`tenantgate token --browser`: the origins to listen on, and the exact words of each failure."""

import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tenantgate_cli.commands import token_browser
from tenantgate_cli.console import Failure
from tenantgate_cli.stack.app_sign_in import AccessToken, Attempt
from tenantgate_cli.stack.data_folder import DataFolder
from tests.fixtures.servers.ports import reserved_port

API = "http://localhost:3000"
ATTEMPT = Attempt("https://idp.example/authorize?state=s", "s", "c=1")


@contextmanager
def running(path: Path, origins: str, issuer: str = "https://idp.example") -> Iterator[Path]:
    folder = DataFolder(path)
    with folder.held():
        folder.publish(url=API)
        folder.publish_settings({"PUBLIC_BASE_URL": API, "ALLOWED_ORIGINS": origins, "OIDC_ISSUER_URL": issuer})
        yield path


@pytest.mark.parametrize(
    ("origins", "found"),
    [
        ("http://localhost:3000,http://localhost:5173,http://localhost:8080", [8080, 5173]),
        ("http://127.0.0.1:3000, http://127.0.0.1:5173", [5173]),
        ("https://app.example.com,http://[::1]:8080,http://localhost", [80, 8080]),
        ("https://localhost:8443,http://localhost:9", [9]),
    ],
)
def test_the_last_allowed_loopback_origin_is_tried_first(origins: str, found: list[int]) -> None:
    assert [url.port for url in token_browser.candidates(origins, API)] == found


@pytest.mark.parametrize(
    "origins", [API, "", "https://app.example.com", f"{API},http://10.0.0.1:8080,http://evil.test"]
)
def test_without_a_loopback_origin_the_remedy_starts_the_stack_with_one(origins: str, tmp_path: Path) -> None:
    with running(tmp_path, origins), pytest.raises(Failure) as failure:
        token_browser.run(tmp_path, as_json=False)
    assert str(failure.value) == "ALLOWED_ORIGINS has no loopback origin on which this command could listen"
    assert failure.value.remedy == "start the stack with one: ALLOWED_ORIGINS=http://localhost:8080 make dev"


def test_without_a_stack_the_remedy_starts_one(tmp_path: Path) -> None:
    with pytest.raises(Failure) as failure:
        token_browser.run(tmp_path, as_json=False)
    assert (str(failure.value), failure.value.remedy) == (
        "no stack is running here",
        "make dev   (in another terminal)",
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--scope"], "--scope can't be used with --browser: the provider decides what its tokens hold"),
        (
            ["--user", "--expires"],
            "--user and --expires can't be used with --browser: the provider decides what its tokens hold",
        ),
    ],
)
def test_options_of_minted_tokens_are_refused(options: list[str], words: str, tmp_path: Path) -> None:
    with pytest.raises(Failure) as failure:
        token_browser.run(tmp_path, as_json=False, refused_options=options)
    assert (str(failure.value), failure.value.remedy) == (words, "omit it")


def test_when_every_port_is_taken_the_words_name_the_holders_and_another_origin(tmp_path: Path) -> None:
    with socket.socket() as first, socket.socket() as second:
        ports = []
        for sock in (first, second):
            sock.bind(("127.0.0.1", 0))
            sock.listen()
            ports.append(sock.getsockname()[1])
        origins = f"http://localhost:{ports[0]},http://localhost:{ports[1]}"
        with running(tmp_path, origins), pytest.raises(Failure) as failure:
            token_browser.run(tmp_path, as_json=False)
    holder = rf"[^,]+ \(process {os.getpid()}\)"
    assert re.fullmatch(
        rf"every loopback origin of ALLOWED_ORIGINS is in use: port {ports[1]} is taken by {holder}, "
        rf"port {ports[0]} is taken by {holder}",
        str(failure.value),
    )
    assert failure.value.remedy == (
        "stop one of these programs, or start the stack with another origin: ALLOWED_ORIGINS="
        f"http://localhost:{ports[1]},http://localhost:{ports[0]},http://localhost:8090 make dev"
    )


@pytest.mark.parametrize(
    ("issuer", "note"),
    [("https://idp.example", "register it at https://idp.example"), (f"{API}/idp", "allowed")],
)
def test_a_taken_port_leads_to_the_next_origin_and_time_runs_out_with_words(
    *,
    issuer: str,
    note: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    # The command configures no logging, but an earlier test of the same process may have.
    caplog.set_level(logging.WARNING, logger="uvicorn.error")
    monkeypatch.setattr(token_browser, "begin_sign_in", lambda api, uri: ATTEMPT)
    monkeypatch.setattr(token_browser, "has_graphical_browser", lambda: False)
    with socket.socket() as holder, reserved_port() as free:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        origins = f"http://localhost:{free},http://localhost:{holder.getsockname()[1]}"
        with running(tmp_path, origins, issuer), pytest.raises(Failure) as failure:
            token_browser.run(tmp_path, as_json=False, seconds=0.1)
    uri = f"http://localhost:{free}/callback"
    assert str(failure.value) == "no sign-in within 0.1 seconds"
    assert failure.value.remedy == (
        f"if the provider refused the redirect URI, register {uri}; then: tenantgate token --browser"
    )
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        f"redirect URI  {uri}   ({note})",
        "sign in       https://idp.example/authorize?state=s",
        "open this address in a browser on this machine; waiting 0.1 seconds, Ctrl-C stops",
    ]


def test_a_browser_window_is_opened_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []

    def show(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr("webbrowser.open", show)
    monkeypatch.setattr(token_browser, "has_graphical_browser", lambda: True)
    token_browser._open("https://idp.example/", 300)
    assert opened == ["https://idp.example/"]
    assert capsys.readouterr().err == "your browser shows the sign-in page; waiting 5 minutes, Ctrl-C stops\n"


@pytest.mark.parametrize(
    ("platform", "variables", "graphical"),
    [
        ("darwin", {}, True),
        ("win32", {}, True),
        ("linux", {}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("linux", {"BROWSER": "firefox"}, True),
    ],
)
def test_a_text_browser_never_takes_over_the_terminal(
    platform: str, variables: dict[str, str], graphical: bool
) -> None:
    assert token_browser.has_graphical_browser(platform, variables.get) is graphical


def test_secrets_are_not_in_the_representation() -> None:
    assert repr(ATTEMPT) == "Attempt(authorization_url='https://idp.example/authorize?state=s')"
    assert "secret" not in repr(AccessToken("secret", 1))
