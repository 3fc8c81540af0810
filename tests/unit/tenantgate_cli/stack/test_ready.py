"""The words of the ready lines, their order and their colours."""

import io
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from tenantgate.openid_provider.storage.demo import DEMO_PASSWORD, DEMO_TENANT_ID, DEMO_USERNAME
from tenantgate_cli import console
from tenantgate_cli.stack import ready
from tenantgate_cli.stack.api_addresses import ApiAddress
from tenantgate_cli.stack.local_stack import Stack
from tenantgate_cli.stack.variables import Provider

URL = "http://localhost:3000"
BUILT_IN = Provider(f"{URL}/idp", built_in=True)


def stack(provider: Provider = BUILT_IN, *, option: str = "") -> Stack:
    folder = SimpleNamespace(shown=lambda: option.removeprefix(" --data-dir ") or ".local", option=lambda: option)
    return cast("Stack", SimpleNamespace(url=URL, folder=folder, variables=SimpleNamespace(provider=provider)))


def api(url: str, title: str = "An API") -> ApiAddress:
    return cast("ApiAddress", SimpleNamespace(url=url, title=title, example=lambda option: ""))


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Return the lines that were printed to a file."""
    file = io.StringIO()
    monkeypatch.setattr(console, "out", Console(file=file, highlight=False, markup=False))
    return lambda: file.getvalue().splitlines()


def test_the_lines_of_a_new_stack(printed: Callable[[], list[str]]) -> None:
    ready.show_dev(stack(), "")

    assert printed() == [
        f"Tenantgate ready at {URL}",
        f"  sign in     {URL}/api/v1/auth/login",
        f"  API docs    {URL}/docs",
        f"  provider    {URL}/idp (built in)",
        f"  demo user   {DEMO_USERNAME} / {DEMO_PASSWORD}",
        f"  demo tenant {DEMO_TENANT_ID}",
        f'  try         curl -H "Authorization: Bearer $(.venv/bin/tenantgate token)" {URL}/api/v1/auth/me',
        "  data        .local (make dev keeps it; make dev RESET=1 starts over)",
        "  logs        .local/logs/<function>.log, all of them: .venv/bin/tenantgate logs",
        "  Ctrl-C stops everything",
    ]


def test_the_lines_with_another_provider_and_another_folder(printed: Callable[[], list[str]]) -> None:
    provider = Provider("https://login.example.com", built_in=False)
    ready.show_dev(stack(provider, option=" --data-dir /data"), "it can't be reached", note="the port 3000 is taken")

    assert printed() == [
        f"Tenantgate ready at {URL}",
        f"  sign in     {URL}/api/v1/auth/login",
        f"  API docs    {URL}/docs",
        "  provider    https://login.example.com (OIDC_ISSUER_URL of your environment)",
        f"  callback    {URL}/api/v1/auth/callback (allow this redirect URI at the provider)",
        f"  try         curl {URL}/api/v1/health/ready",
        "  data        /data (make dev keeps it; make dev RESET=1 starts over)",
        "  logs        /data/logs/<function>.log, all of them: .venv/bin/tenantgate logs --data-dir /data",
        "  note: the port 3000 is taken",
        "  warning: sign-in won't work: it can't be reached",
        "  Ctrl-C stops everything",
    ]


def test_serve_has_no_logs(printed: Callable[[], list[str]]) -> None:
    ready.show_serve(stack())

    assert "  data        .local (make serve keeps it; make dev RESET=1 starts over)" in printed()
    assert not any(line.startswith("  logs") for line in printed())


@pytest.mark.parametrize("count", [0, 1, 3, 9])
@pytest.mark.parametrize(
    ("provider", "problem"),
    [
        pytest.param(BUILT_IN, "", id="built-in"),
        pytest.param(Provider("https://login.example.com", built_in=False), "a problem", id="another"),
    ],
)
def test_addresses_come_first_and_all_fits_into_15_lines(
    count: int, provider: Provider, problem: str, printed: Callable[[], list[str]]
) -> None:
    guarded = [api(f"{'ws' if number else 'http'}://localhost:{4000 + number}") for number in range(count)]
    ready.show_dev(stack(provider), problem, guarded, "a note")

    lines = printed()
    assert len(lines) <= 15
    values = [line[14:].startswith(("http", "ws")) for line in lines[1:]]
    assert values == sorted(values, reverse=True)
    assert all(re.match(r"  \S.{10} \S", line) for line in lines[1:] if not re.match(r"  (note|warning|Ctrl-C)", line))
    for address in guarded:
        assert any(address.url in line for line in lines)


def test_a_title_of_a_foreign_template_can_not_write_to_the_terminal(printed: Callable[[], list[str]]) -> None:
    provider = Provider("https://login.example.com", built_in=False)
    ready.show_dev(stack(provider), "issuer \x1b[2J", [api("http://localhost:4000", "evil\x1b[2J\ntitle")], "a\rb")

    assert "  guarded     http://localhost:4000  (evil?[2J?title)" in printed()
    assert "  note: a?b" in printed()
    assert "  warning: sign-in won't work: issuer ?[2J" in printed()


def coloured(monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool) -> str:
    file = io.StringIO()
    monkeypatch.setattr(
        console,
        "out",
        Console(file=file, highlight=False, markup=False, force_terminal=is_terminal or None, color_system="auto"),
    )
    ready.show_dev(stack(), "")
    return file.getvalue()


def test_a_terminal_gets_bright_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    text = coloured(monkeypatch, is_terminal=True)

    assert f"\x1b[1;36m{URL}/docs\x1b[0m" in text
    # 2 is dim (ECMA-48 §8.3.117).
    assert not [codes for codes in re.findall(r"\x1b\[([\d;]*)m", text) if "2" in codes.split(";")]


def test_no_color_turns_colours_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    text = coloured(monkeypatch, is_terminal=True)

    assert f"{URL}/docs" in text
    assert {code for codes in re.findall(r"\x1b\[([\d;]*)m", text) for code in codes.split(";")} <= {"", "0", "1"}


def test_a_file_gets_no_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert "\x1b" not in coloured(monkeypatch, is_terminal=False)
