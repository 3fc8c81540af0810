"""Plan a new domain: its package, and everything that knows it."""

from __future__ import annotations

from pathlib import Path

from tenantgate_cli.checks.error_numbers import BLOCKS, LISTED
from tenantgate_cli.checks.structure.tables import declared_tables, migrations_of
from tenantgate_cli.checks.structure.tree import MIGRATIONS, NUMBERS, PACKAGE, PYPROJECT, Tree
from tenantgate_cli.console import Failure
from tenantgate_cli.new.changes import Plan
from tenantgate_cli.new.edits import with_block, with_contracts
from tenantgate_cli.new.filled import filled
from tenantgate_cli.new.names import checked_name, class_name, item_of, words

_FILES = ("__init__", "models", "errors", "service", "repository", "tables", "wiring")


def plan_domain(root: Path, name: str, item: str | None) -> Plan:
    """Return the changes that add the domain `name`, whose table keeps one `item` per row. Raises Failure."""
    name = checked_name(name, "domain")
    item = checked_name(item_of(name) if item is None else item, "item")
    tree = Tree(root)
    if name in tree.packages or (root / PACKAGE / f"{name}.py").exists():
        raise Failure(f"tenantgate.{name} already exists", "choose another name")
    if name in declared_tables(tree):
        raise Failure(f"the database already has a table {name}", "choose another name")
    first, reserved = _block(name)
    last = migrations_of(tree)[-1].partition("_")[0]
    revision = f"{int(last) + 1:04}"
    values = {
        "domain": name,
        "items": words(name),
        "item": item,
        "thing": words(item),
        "Item": class_name(item),
        "code": first,
        "revision": revision,
        "down_revision": last,
    }
    plan = Plan(root)
    for file in _FILES:
        plan.create(f"{PACKAGE}/{name}/{file}.py", filled(f"domain/{file}.py", values))
    plan.create(f"{MIGRATIONS}/{revision}_{name}.py", filled("domain/migration.py", values))
    plan.create(f"tests/unit/{name}/test_service.py", filled("domain/test_service.py", values))
    plan.create(f"tests/integration/database/test_{item}_repository.py", filled("domain/test_repository.py", values))
    if not reserved:
        plan.change(NUMBERS, with_block(plan.read(NUMBERS), first, name))
    plan.change(PYPROJECT, with_contracts(plan.read(PYPROJECT), name))
    return plan


def _block(name: str) -> tuple[str, bool]:
    """Return the first code of the domain's block of error numbers, and True if it is reserved already."""
    for first, owner in BLOCKS.items():
        if owner == name:
            free = next(code for code in _codes(first) if LISTED.get(code, name) == name)
            return free, True
    number = max(int(first.removeprefix("AUTH_")) for first in BLOCKS) + 10
    if number > 990:
        raise Failure("all blocks of error numbers are taken", "give a block of a removed domain to this one")
    return f"AUTH_{number:03}", False


def _codes(first: str) -> list[str]:
    number = int(first.removeprefix("AUTH_"))
    return [f"AUTH_{number + offset:03}" for offset in range(10)]
