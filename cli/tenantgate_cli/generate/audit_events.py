"""Write the lists of audit events and of masking policies in `docs/AUDIT.md`, from their declarations."""

from __future__ import annotations

from pathlib import Path

from tenantgate.audit.declarations import Member
from tenantgate.audit.types import EVENT_TYPES
from tenantgate.masking import MASK, POLICIES

PAGE = Path("docs/AUDIT.md")
BEGIN, END = "<!-- audit events: written by `make docs` -->", "<!-- /audit events -->"
MASKING, MASKING_END = "<!-- masking: written by `make docs` -->", "<!-- /masking -->"


def audit_page() -> str:
    """Return the page with both lists updated."""
    before, _, rest = _with_policies(PAGE.read_text(encoding="utf-8")).partition(BEGIN)
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


def _with_policies(page: str) -> str:
    before, _, rest = page.partition(MASKING)
    rows = ["| class | what | masked values keep | in logs | by name |", "|---|---|---|---|---|"]
    for name, policy in POLICIES.items():
        logged = "unchanged" if policy.logged else f"`{MASK}`"
        names = ", ".join(f"`{one}`" for one in sorted(policy.names))
        rows.append(f"| {name} | {policy.meaning} | {policy.masked} | {logged} | {names} |")
    return f"{before}{MASKING}\n\n{'\n'.join(rows)}\n\n{MASKING_END}{rest.partition(MASKING_END)[2]}"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
