"""Everything that knows a domain: its package, the contracts, the error numbers and the tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tenantgate_cli.checks.structure.tree import NUMBERS, PACKAGE, PYPROJECT, Tree
from tenantgate_cli.results import Problem

# Packages that have some of a domain's files but make no decisions about requests.
INFRASTRUCTURE = {
    "audit",
    "cache",
    "data_keys",
    "database",
    "provider_copies",
    "rate_limits",
    "secrets",
    "tokens",
    "transparency",
}
# It decides, but has neither state nor services.
AUTHORIZER = "authorizer"
REQUIRED_FILES = ("__init__", "models", "errors", "service", "wiring")
# Domains have the same file names, so that a reader of one knows the others.
ALLOWED_FILES = {*REQUIRED_FILES, "repository", "tables", "cache", "client", "credential", "tasks"}
# Parts of a domain that outgrew one file.
SUB_PACKAGES = {
    "login": {"service", "provider", "attempts", "refreshing"},
    "openid_provider": {"endpoints", "protocol", "storage"},
    "privacy": {"exporting"},
    "revocation": {"distribution"},
    "sessions": {"backchannel", "ending", "refreshing", "storing"},
}
# Contracts that list the domains: the suffix of the listed modules.
CONTRACTS = {"web-apart": "", "domains-meet-in-wiring": "", "plain": "", "wiring-on-top": ".wiring"}
_TESTED = ("service", "repository")


def domains_of(tree: Tree) -> list[str]:
    """Return the domains: the packages with a file that only domains have, or that a contract names as one."""
    by_files = {
        name
        for name in tree.packages
        if any(_has(tree, name, part) for part in ("service", "repository", "tables", "wiring"))
    }
    listed = {
        module.removeprefix("tenantgate.") for module in tree.contract("domains-meet-in-wiring").get("modules", [])
    }
    return sorted((by_files | listed) - INFRASTRUCTURE - {AUTHORIZER})


def domain_problems(tree: Tree) -> Iterator[Problem]:
    """Yield what is missing from, or left over by, a domain."""
    for name in domains_of(tree):
        if name not in tree.packages:
            yield Problem(
                f"tenantgate.{name} doesn't exist", "remove it from the contracts of import-linter", file=PYPROJECT
            )
            continue
        yield from _files(tree, name)
        yield from _contracts(tree, name)
        yield from _tests(tree, name)
    yield from _floors(tree)
    yield from _error_numbers(tree)


def registered_codes(module: ast.Module) -> dict[str, str]:
    """Return the error codes that a module registers, each with the name that is assigned to it."""
    return {
        str(ast.literal_eval(node.value.args[0])): ast.unparse(node.targets[0])
        for node in ast.walk(module)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == "register"
    }


def _has(tree: Tree, package: str, part: str) -> bool:
    folder = tree.root / PACKAGE / package
    return (folder / f"{part}.py").is_file() or (folder / part / "__init__.py").is_file()


def _files(tree: Tree, name: str) -> Iterator[Problem]:
    place = f"{PACKAGE}/{name}"
    for part in REQUIRED_FILES:
        if not _has(tree, name, part) and not (tree.root / place / f"{part}.py").is_file():
            yield Problem(f"{place}/{part}.py is missing", "every domain has this file", file=place)
    folder = tree.root / place
    for path in sorted(folder.iterdir()):
        if path.suffix == ".py" and path.stem not in ALLOWED_FILES:
            yield Problem(
                f"{place}/{path.name} isn't one of the files of a domain",
                f"use one of {', '.join(sorted(ALLOWED_FILES - {'__init__'}))}",
                file=f"{place}/{path.name}",
            )
        if path.is_dir() and path.name != "__pycache__" and path.name not in SUB_PACKAGES.get(name, set()):
            yield Problem(
                f"{place}/{path.name} isn't a known part of the domain",
                "add it to SUB_PACKAGES in cli/tenantgate_cli/checks/structure/domains.py",
                file=f"{place}/{path.name}",
            )


def _contracts(tree: Tree, name: str) -> Iterator[Problem]:
    for contract, suffix in CONTRACTS.items():
        module = f"tenantgate.{name}{suffix}"
        values = [value for value in tree.contract(contract).values() if isinstance(value, list)]
        if not any(module in value for value in values):
            yield Problem(f'the contract "{contract}" lacks {module}', f'add "{module}"', file=PYPROJECT)


def _tests(tree: Tree, name: str) -> Iterator[Problem]:
    for part in _TESTED:
        if (tree.root / PACKAGE / name / f"{part}.py").is_file() and f"tenantgate.{name}.{part} " not in tree.tests:
            yield Problem(
                f"no test imports tenantgate.{name}.{part}",
                f"add tests/unit/{name}/test_{part}.py",
                file=f"{PACKAGE}/{name}/{part}.py",
            )


def _floors(tree: Tree) -> Iterator[Problem]:
    floors = tree.project["tool"]["tenantgate"]["coverage-floors"]
    layers = {name.strip() for layer in tree.contract("floors").get("layers", []) for name in _split(layer)}
    for name in tree.packages:
        if name not in floors:
            yield Problem(f"the package {name} has no coverage floor", f"{name} = 95", file=PYPROJECT)
        if name not in layers:
            yield Problem(f'the contract "floors" lacks {name}', f'add the layer "{name}"', file=PYPROJECT)


def _split(layer: str) -> list[str]:
    return layer.replace("|", ":").split(":")


def _error_numbers(tree: Tree) -> Iterator[Problem]:
    listed, blocks = tree.error_owners
    for path in sorted((tree.root / PACKAGE).rglob("*.py")):
        if "errors" not in path.relative_to(tree.root).with_suffix("").parts:
            continue
        name = path.relative_to(tree.root).as_posix()
        owner = _owner(path.relative_to(tree.root / PACKAGE))
        for code in registered_codes(tree.module(name)):
            # A listed code is an exception from its block.
            if listed.get(code, blocks.get(f"{code[:-1]}0")) != owner:
                yield Problem(
                    f"{code} isn't reserved for {owner}",
                    f"reserve a block in {NUMBERS}",
                    file=name,
                )


def _owner(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".errors")
