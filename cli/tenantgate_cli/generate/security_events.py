"""Write the list of security events in `docs/OPERATIONS.md`, from their declaration."""

from __future__ import annotations

from pathlib import Path

from tenantgate.observability.security_events import EVENTS, MEMBERS

PAGE = Path("docs/OPERATIONS.md")
BEGIN, END = "<!-- security events: written by `make docs` -->", "<!-- /security events -->"


def operations_page() -> str:
    """Return the page with its list of security events updated."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    members = ["| member | meaning |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in MEMBERS.items())]
    events = ["| `event` | level | `kind` | details | meaning |", "|---|---|---|---|---|"]
    events += [
        f"| `{name}` | {one.level} | {_listed(one.kinds)} | {_listed(one.details)} | {one.meaning} |"
        for name, one in EVENTS.items()
    ]
    return f"{before}{BEGIN}\n\n{'\n'.join(members)}\n\n{'\n'.join(events)}\n\n{END}{rest.partition(END)[2]}"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
