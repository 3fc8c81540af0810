"""The JSON that commands print with `--json`.

Every command prints one object, on one line of standard output: `ok` (true if the exit status is 0), `problems` (a list
of objects with `problem` and `remedy`, and `file` and `line` if they are known), and the command's own members.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass

from tenantgate_cli.console import Failure
from tenantgate_cli.program import as_called


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. `line` counts from 1."""

    problem: str
    remedy: str = ""
    file: str | None = None
    line: int | None = None


def print_result(*problems: Problem, ok: bool | None = None, **members: object) -> None:
    """Print the object. Without `ok`, the command succeeded if there are no problems."""
    shape = {"ok": not problems if ok is None else ok, **members, "problems": [_members(each) for each in problems]}
    # Standard output itself, not the console, which would style or break the line.
    sys.stdout.write(json.dumps(shape) + "\n")
    sys.stdout.flush()


def print_failure(failure: Failure) -> None:
    """Print the object of a command that failed before it had a result."""
    print_result(Problem(str(failure), failure.remedy))


def _members(problem: Problem) -> dict[str, object]:
    known = {name: value for name, value in asdict(problem).items() if value is not None}
    return {**known, "remedy": as_called(problem.remedy)}
