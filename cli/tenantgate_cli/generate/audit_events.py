"""Write the list of audit events in `docs/AUDIT.md`, from their declaration."""

from __future__ import annotations

from pathlib import Path

from tenantgate.audit.types import EVENT_TYPES, Member

PAGE = Path("docs/AUDIT.md")
BEGIN, END = "<!-- audit events: written by `make docs` -->", "<!-- /audit events -->"


def audit_page() -> str:
    """Return the page with its list of audit events updated."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    events = ["| type | outcomes | resource | detail | meaning |", "|---|---|---|---|---|"]
    members: dict[str, Member] = {}
    for name, one in EVENT_TYPES.items():
        members |= one.detail
        listed = (_listed(one.outcomes), _listed(one.resources), _listed(tuple(one.detail)))
        events.append(f"| `{name}` | {' | '.join(listed)} | {one.meaning} |")
    details = ["| member | type | meaning |", "|---|---|---|"]
    for detail, member in sorted(members.items()):
        kind = {str: "text", int: "number", list: "list of texts"}[member.type]
        values = "" if member.values is None else f" One of {_listed(member.values)}."
        stored = " Stored encrypted." if member.personal else ""
        details.append(f"| `{detail}` | {kind} | {member.meaning}{values}{stored} |")
    return f"{before}{BEGIN}\n\n{'\n'.join(events)}\n\n{'\n'.join(details)}\n\n{END}{rest.partition(END)[2]}"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
