"""`tenantgate versions prune`: delete old versions of a stack's functions."""

from __future__ import annotations

import os

from tenantgate_cli.commands.migrate import ask
from tenantgate_cli.console import Failure, say
from tenantgate_cli.deploy.region import region_of
from tenantgate_cli.deploy.versions import REMEDY, StackVersions, Versions
from tenantgate_cli.results import Problem, print_result

_REMEDIES = {"ResourceConflictException": "run it again: the versions that are served now are kept"}


def prune(stack: str, keep: int, *, confirmed: bool, dry_run: bool, as_json: bool) -> bool:
    """Delete all versions but those of an alias and the `keep` newest. Return False if one stayed. Raises Failure."""
    of_stack = StackVersions(stack, region_of(os.environ))
    found = of_stack.found(keep)
    if not found:
        raise Failure(f"{stack} has no functions", "name the stack of Tenantgate: --stack-name")
    if not as_json:
        for each in found:
            say(_line(each))
    count = sum(len(each.old) for each in found)
    snapshots = sum(len(each.snapshots) for each in found)
    what = f"{_counted(count, 'old version')} of {stack}, {snapshots} of them with a SnapStart snapshot"
    if dry_run or not count:
        _report(stack, found, {}, [], as_json=as_json, text=f"would delete {what}" if count else "nothing to delete")
        return True
    if not confirmed and not ask(f"Delete {what}?"):
        raise Failure("nothing was deleted")
    deleted: dict[str, list[int]] = {}
    problems = []
    for each in found:
        for version in each.old:
            if code := of_stack.delete(each.function, version):
                problems.append(_stays(each.function, version, code))
            else:
                deleted.setdefault(each.function, []).append(version)
    done = sum(map(len, deleted.values()))
    _report(stack, found, deleted, problems, as_json=as_json, text=f"deleted {_counted(done, 'version')}")
    return not problems


def _stays(function: str, version: int, code: str) -> Problem:
    return Problem(f"version {version} of {function} stays: {code}", _REMEDIES.get(code, REMEDY))


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


def _line(of: Versions) -> str:
    return f"{of.function}: keeps {_numbers(of.kept)}; old: {_numbers(of.old)}"


def _numbers(of: tuple[int, ...]) -> str:
    return ", ".join(map(str, of)) or "none"


def _report(
    stack: str,
    found: list[Versions],
    deleted: dict[str, list[int]],
    problems: list[Problem],
    *,
    as_json: bool,
    text: str,
) -> None:
    if as_json:
        functions = [
            {"name": each.function, "kept": each.kept, "old": each.old, "deleted": deleted.get(each.function, [])}
            for each in found
        ]
        print_result(*problems, stack=stack, functions=functions)
        return
    for problem in problems:
        say(f"{problem.problem} ({problem.remedy})")
    say(text)
