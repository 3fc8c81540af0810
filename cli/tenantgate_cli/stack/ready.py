"""The lines that show a developer that everything runs, and how to use it: at most 15 of them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from tenantgate.openid_provider.storage.demo import DEMO_PASSWORD, DEMO_TENANT_ID, DEMO_USERNAME
from tenantgate_cli.console import printable, say
from tenantgate_cli.program import as_called
from tenantgate_cli.stack.api_addresses import ApiAddress
from tenantgate_cli.stack.local_stack import Stack

# The number of lines for the APIs of a second stack.
_MAX_GUARDED = 3
_SCHEMES = ("http://", "https://", "ws://")


def show_dev(stack: Stack, provider_problem: str, guarded: Sequence[ApiAddress] = (), note: str = "") -> None:
    """Print the lines of `dev`. `guarded` has the addresses of a second stack's APIs."""
    option = stack.folder.option()
    logs = ("logs", f"{stack.folder.shown()}/logs/<function>.log, all of them: .venv/bin/tenantgate logs{option}")
    lines = [("guarded", _guarded_line(address, option)) for address in guarded]
    if len(lines) > _MAX_GUARDED:
        rest = ", ".join(address.url for address in guarded[_MAX_GUARDED - 1 :])
        lines[_MAX_GUARDED - 1 :] = [("guarded", rest)]
    _show(stack, "dev", [logs, *lines], provider_problem=provider_problem, note=note)


def _guarded_line(address: ApiAddress, option: str) -> str:
    line, example = f"{address.url}  ({address.title})", address.example(option)
    return f"{line}  try {as_called(example)}" if example else line


def show_serve(stack: Stack) -> None:
    """Print the lines of `serve`."""
    _show(stack, "serve", [])


def _show(
    stack: Stack, command: str, more: list[tuple[str, str]], *, provider_problem: str = "", note: str = ""
) -> None:
    url, provider = stack.url, stack.variables.provider
    data, option = stack.folder.shown(), stack.folder.option()
    lines = [("sign in", f"{url}/api/v1/auth/login"), ("API docs", f"{url}/docs")]
    if provider.built_in:
        lines += [
            ("demo user", f"{DEMO_USERNAME} / {DEMO_PASSWORD}"),
            ("demo tenant", DEMO_TENANT_ID),
            ("provider", f"{provider.issuer} (built in)"),
            ("try", f'curl -H "Authorization: Bearer $(.venv/bin/tenantgate token{option})" {url}/api/v1/auth/me'),
        ]
    else:
        lines += [
            ("provider", f"{provider.issuer} (OIDC_ISSUER_URL of your environment)"),
            ("callback", f"{url}/api/v1/auth/callback (allow this redirect URI at the provider)"),
            ("try", f"curl {url}/api/v1/health/ready"),
        ]
    lines += [("data", f"{data} (make {command} keeps it; make dev RESET=1 starts over)"), *more]
    # Addresses first: people open these.
    lines.sort(key=lambda line: not line[1].startswith(_SCHEMES))
    say(Text(f"Tenantgate ready at {url}", style="bold green"))
    for name, value in ((name, printable(value)) for name, value in lines):
        address = value.partition(" ")[0] if value.startswith(_SCHEMES) else ""
        say(Text(f"  {name:<12}") + Text(address, style="bold cyan") + Text(value.removeprefix(address)))
    notes = [
        f"note: {note}" if note else "",
        f"warning: sign-in won't work: {provider_problem}" if provider_problem else "",
    ]
    for text in filter(None, notes):
        # A foreign template or discovery document may have chosen a part of it.
        say(Text(f"  {printable(text)}", style="yellow"))
    say(Text("  Ctrl-C stops everything"))
