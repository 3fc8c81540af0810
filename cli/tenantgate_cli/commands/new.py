"""`tenantgate new`: write an endpoint or a domain."""

from __future__ import annotations

from pathlib import Path

from tenantgate_cli.console import say
from tenantgate_cli.generate.documents import DOCUMENTS
from tenantgate_cli.new.changes import Plan, only_one, write
from tenantgate_cli.new.domain import plan_domain
from tenantgate_cli.new.endpoint import plan_endpoint
from tenantgate_cli.new.names import Route
from tenantgate_cli.paths import ROOT
from tenantgate_cli.program import as_called
from tenantgate_cli.results import print_result


def endpoint(name: str, route: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Write a function for one route behind the authorizer. Raises Failure, and then has written nothing."""
    with only_one(ROOT):
        plan, checked = plan_endpoint(ROOT, name, route)
        _make(plan, _endpoint_steps(name, checked), dry_run=dry_run, as_json=as_json)


def domain(name: str, item: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Write a domain package with a table. Raises Failure, and then has written nothing."""
    with only_one(ROOT):
        _make(plan_domain(ROOT, name, item), _domain_steps(name), dry_run=dry_run, as_json=as_json)


def _endpoint_steps(name: str, route: Route) -> list[str]:
    method = "" if route.method == "GET" else f"-X {route.method} "
    return [
        f"write what it returns: functions/{name}/routes.py, tests/unit/functions/{name}/test_routes.py",
        "make check, then make test",
        (
            f"make dev, then in another terminal: curl {method}"
            f'-H "Authorization: Bearer $(tenantgate token)" http://localhost:3000{route.path}'
        ),
    ]


def _domain_steps(name: str) -> list[str]:
    return [
        f"write its models and decisions: layers/shared/tenantgate/{name}/models.py, service.py, repository.py",
        "change the columns in tables.py and in the migration together",
        "record the statements of the new schema: python -m tests.fixtures.migrations.recorded",
        "make check, then make test",
        "tenantgate new endpoint NAME, and call the service there as docs/API_ARCHITECTURE.md shows",
    ]


def _make(plan: Plan, steps: list[str], *, dry_run: bool, as_json: bool) -> None:
    changes = plan.changes
    documents: list[str] = []
    if not dry_run:
        names = [name for name in DOCUMENTS if (Path(plan.root) / name).is_file()]
        documents = write(plan.root, changes, names)
    files = [{"path": change.path, "action": change.action} for change in changes]
    files += [{"path": name, "action": "generate"} for name in documents]
    if as_json:
        print_result(dry_run=dry_run, files=files, next=[as_called(step) for step in steps])
        return
    for file in files:
        say(f"{file['action']:8} {file['path']}")
    if dry_run:
        say()
        for change in changes:
            if change.before is not None:
                say(change.diff)
        say("nothing was written: --dry-run. The generated documents would follow: make docs")
        return
    say()
    for number, step in enumerate(steps, start=1):
        say(f"{'next' if number == 1 else '':4} {number}. {as_called(step)}")
