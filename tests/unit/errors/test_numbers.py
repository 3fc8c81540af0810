"""Error codes and their owners. The structure check compares each code with its package."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import tenantgate
from tenantgate.errors.base import SYS_003, register
from tenantgate_cli.checks.error_numbers import BLOCKS, LISTED, owner_of
from tenantgate_cli.checks.registry import registry
from tenantgate_cli.checks.structure.domains import registered_codes

PACKAGE = Path(tenantgate.__file__).parent


def registered(file: Path) -> dict[str, str]:
    return registered_codes(ast.parse(file.read_text(encoding="utf-8")))


REGISTERED = {
    ".".join(file.relative_to(PACKAGE).with_suffix("").parts): codes
    for file in sorted(PACKAGE.rglob("*.py"))
    if (codes := registered(file))
}


@pytest.mark.parametrize("module", REGISTERED)
def test_a_code_is_assigned_to_its_own_name(module: str) -> None:
    assert all(name == code for code, name in REGISTERED[module].items())


def test_only_modules_of_errors_register_codes() -> None:
    assert [module for module in REGISTERED if "errors" not in module.split(".")] == []
    assert sorted(code for codes in REGISTERED.values() for code in codes) == sorted(registry())


def test_a_code_is_registered_once() -> None:
    with pytest.raises(ValueError, match="SYS_003 is registered twice"):
        register("SYS_003", 500, "", cause="", remedy="")
    assert registry()["SYS_003"] is SYS_003


def test_a_listed_code_and_a_block_have_one_owner_each() -> None:
    assert all(re.fullmatch(r"(AUTH|SYS|VAL)_\d{3}", code) for code in LISTED)
    assert all(re.fullmatch(r"AUTH_\d\d0", first) for first in BLOCKS)
    # One block for each domain; the codes of a listed exception are in the block of another one.
    assert len(set(BLOCKS.values())) == len(BLOCKS)


@pytest.mark.parametrize(
    ("code", "owner"),
    [
        ("AUTH_010", "errors.access"),
        ("AUTH_019", "errors.access"),
        ("AUTH_020", "errors.access"),
        ("AUTH_021", "errors.access"),
        ("AUTH_022", "sessions"),
        ("AUTH_041", "openid_provider"),
        ("AUTH_079", "api_keys"),
        ("SYS_006", "rate_limits"),
        ("AUTH_000", None),
        ("SYS_013", "database"),
        ("SYS_990", None),
        ("VAL_011", None),
        ("AUTH_990", None),
    ],
)
def test_the_owner_of_a_code(code: str, owner: str | None) -> None:
    assert owner_of(code) == owner
