"""The revision that a caller names, resolved against the known migrations before anything runs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tenantgate.database.errors import MadeByNewer
from tenantgate.errors.base import ValidationFailed

BASE, HEAD = "base", "head"
_REVISION = re.compile(r"[A-Za-z0-9_]{1,64}")
_STEPS = re.compile(r"([+-])([0-9]{1,4})")


def resolve(named: str, *, at: str | None, known: Sequence[str], down: bool) -> str:
    """Return the exact revision to migrate to, or `base`.

    `named`: a revision or the unambiguous beginning of one; up `head` or `+N`, down `base` or `-N`. `at`: the
    database's revision. `known`: this version's revisions, oldest first. Raises `MadeByNewer`, and `ValidationFailed`
    with the known revisions in its detail.
    """
    require_known(at, known)
    if (steps := _STEPS.fullmatch(named)) is not None:
        return _after_steps(steps[1], int(steps[2]), at=at, known=known, down=down)
    if named in (BASE, HEAD):
        if (named == BASE) != down:
            raise _refused(f"{named} is for {'up' if down else 'down'}", known)
        return BASE if down else known[-1]
    target = _exact(named, known)
    if down and (at is None or known.index(target) > known.index(at)):
        raise _refused(f"the database is at {at or 'no revision'}, which is before {target}: use up", known)
    return target


def require_known(at: str | None, known: Sequence[str]) -> None:
    """Raise `MadeByNewer` if the database's revision isn't one of this version's."""
    if at is not None and at not in known:
        raise MadeByNewer(
            "the database was made by a newer Tenantgate",
            detail={"revision": shown_revision(at), "newest_known": known[-1] if known else None},
        )


def shown_revision(revision: str) -> str:
    """Return a database's revision for a message or a log: it may contain any text."""
    return revision if _REVISION.fullmatch(revision) else "of an unknown form"


def _after_steps(sign: str, count: int, *, at: str | None, known: Sequence[str], down: bool) -> str:
    if (sign == "-") != down:
        raise _refused(f"{sign}{count} is for {'up' if down else 'down'}", known)
    here = -1 if at is None else known.index(at)
    left = here + 1 if down else len(known) - 1 - here
    if count > left:
        raise _refused(
            f"{sign}{count} is too far: the database is at {at or 'no revision'}, with {left} to "
            + ("undo" if down else "apply"),
            known,
        )
    there = here - count if down else here + count
    return known[there] if there >= 0 else BASE


def _exact(named: str, known: Sequence[str]) -> str:
    if named in known:
        return named
    if _REVISION.fullmatch(named) is None:
        raise _refused("it doesn't have the form of a revision", known)
    found = [revision for revision in known if revision.startswith(named)]
    if not found:
        raise _refused(f"there is no revision {named}", known)
    if len(found) > 1:
        raise _refused(f"{named} is the beginning of several revisions: {', '.join(found)}", known)
    return found[0]


def _refused(problem: str, known: Sequence[str]) -> ValidationFailed:
    text = f"{problem}. The revisions are {', '.join(known)}; up also takes head and +1, down base and -1."
    return ValidationFailed("no such revision", detail=[{"field": "revision", "problem": text}])
