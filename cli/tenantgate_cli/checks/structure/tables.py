"""Migrations and the tables that the domains declare."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tenantgate_cli.checks.structure.tree import MIGRATIONS, PACKAGE, Tree
from tenantgate_cli.results import Problem

_GUARDED = re.compile(r"SELECT tenantgate_(?:tenant|shared)_table\('(\w+)'\)")


def table_problems(tree: Tree) -> Iterator[Problem]:
    """Yield gaps in the chain of migrations, and differences between the migrated and the declared tables."""
    yield from _chain(tree)
    migrated = _migrated(tree)
    declared = declared_tables(tree)
    for table, name in declared.items():
        if table not in migrated:
            yield Problem(f"no migration creates the table {table}", f"add one to {MIGRATIONS}", file=name)
    for table, name in migrated.items():
        if table not in declared:
            yield Problem(
                f"no tables.py declares the table {table}", "declare it in the tables.py of its domain", file=name
            )
        if table not in _GUARDED.findall(tree.text(name)):
            yield Problem(
                f"the table {table} has no row-level security and no grants",
                f"op.execute(\"SELECT tenantgate_tenant_table('{table}')\")",
                file=name,
            )
    yield from _pairs(tree)


def migrations_of(tree: Tree) -> list[str]:
    """Return the names of the migrations in the order of their numbers."""
    return sorted(path.name for path in (tree.root / MIGRATIONS).glob("*.py"))


def _pairs(tree: Tree) -> Iterator[Problem]:
    """Compare the modules with SQL with the declared tables: a folder has both or neither."""
    for name, other, remedy in (
        ("repository.py", "tables.py", "declare its tables there"),
        ("tables.py", "repository.py", "write the SQL for these tables there"),
    ):
        for path in sorted((tree.root / PACKAGE).rglob(name)):
            place = path.relative_to(tree.root).as_posix()
            if not path.with_name(other).is_file():
                yield Problem(f"{place} has no {other} next to it", remedy, file=place)


def _chain(tree: Tree) -> Iterator[Problem]:
    previous: str | None = None
    for position, file in enumerate(migrations_of(tree), start=1):
        name = f"{MIGRATIONS}/{file}"
        assigned = {
            ast.unparse(node.targets[0]): ast.unparse(node.value).strip("'")
            for node in tree.module(name).body
            if isinstance(node, ast.Assign)
        }
        number = f"{position:04}"
        if not file.startswith(f"{number}_"):
            yield Problem(f"the migration {number} is missing", "the numbers have no gaps", file=MIGRATIONS)
            return
        if (assigned.get("revision"), assigned.get("down_revision")) != (number, str(previous)):
            yield Problem(
                f"{file} has the wrong revisions",
                f'revision = "{number}", down_revision = {f'"{previous}"' if previous else None}',
                file=name,
            )
        previous = number


def _migrated(tree: Tree) -> dict[str, str]:
    """Return the tables that exist after all migrations, each with the file of the migration that creates it."""
    tables: dict[str, str] = {}
    for file in migrations_of(tree):
        name = f"{MIGRATIONS}/{file}"
        functions = [node for node in tree.module(name).body if isinstance(node, ast.FunctionDef)]
        for function in (function for function in functions if function.name != "downgrade"):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                    called = ast.unparse(node.func)
                    if called == "op.create_table":
                        tables[str(node.args[0].value)] = name
                    elif called == "op.drop_table":
                        tables.pop(str(node.args[0].value), None)
    return tables


def declared_tables(tree: Tree) -> dict[str, str]:
    """Return the tables of every tables.py, each with the name of the file."""
    tables: dict[str, str] = {}
    for path in sorted((tree.root / PACKAGE).rglob("tables.py")):
        name = path.relative_to(tree.root).as_posix()
        for node in ast.walk(tree.module(name)):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__tablename__":
                tables[str(ast.literal_eval(node.value))] = name
    return tables
