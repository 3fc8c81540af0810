"""The declared uses of the cache, compared with the keys that the code forms and with the counters."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantgate import cache_counts
from tenantgate.cache.uses import USES
from tenantgate.identity.session_entry import session_keys
from tenantgate.provider_copies.entry import Place
from tenantgate.rate_limits.counters import counter
from tenantgate.revoked.snapshot import BODY_KEY, HEAD_KEY
from tenantgate.settings.rate_limits import Limit
from tests.fixtures.databases.declared_keys import uses_of

PLACE = Place("use", "https://idp.example", "https://idp.example/keys")
ROOT = Path(__file__).parents[3]
FOLDERS = ("layers/shared/tenantgate", "functions", "container")
DECLARED = Path("layers/shared/tenantgate/cache/uses.py")


def key_texts() -> Iterator[tuple[str, str]]:
    """Yield each text of the code that begins a key, with its file."""
    for path in (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))):
        text = path.read_text(encoding="utf-8")
        if "tenantgate:" not in text or path.relative_to(ROOT) == DECLARED:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                begin = node.value.removeprefix("{")
                if begin.startswith("tenantgate:") and "\n" not in begin:
                    yield node.value, str(path.relative_to(ROOT))


def test_each_key_that_the_code_forms_is_declared() -> None:
    texts = sorted(set(key_texts()))
    assert len(texts) >= 4
    forms = [form for use in USES for form in use.keys]
    assert [found for found in texts if not any(form.startswith(found[0]) for form in forms)] == []


def test_each_declared_key_is_formed_by_the_code() -> None:
    begins = {text for text, _ in key_texts()}
    assert [form for use in USES for form in use.keys if not any(form.startswith(begin) for begin in begins)] == []


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (session_keys("tenant-1", b"\0" * 32).entry, cache_counts.SESSIONS),
        (session_keys("tenant-1", b"\0" * 32).used, cache_counts.LAST_USES),
        (HEAD_KEY, cache_counts.REVOCATIONS),
        (BODY_KEY, cache_counts.REVOCATIONS),
        (f"tenantgate:metadata:{PLACE.digest()}", cache_counts.METADATA),
        (f"tenantgate:keys:{PLACE.digest()}", cache_counts.KEY_SETS),
        (counter("address", Limit(10, 60), "203.0.113.1").key, cache_counts.RATE_LIMITS),
    ],
)
def test_a_key_of_the_code_belongs_to_one_use(key: str, name: str) -> None:
    assert [use.name for use in uses_of(key)] == [name]


def test_another_key_belongs_to_none() -> None:
    assert uses_of("tenantgate:session:other") == []
    assert uses_of("{tenantgate:revocations}:tail") == []


def test_every_use_has_its_own_name_and_every_text() -> None:
    assert len({use.name for use in USES}) == len(USES)
    for use in USES:
        assert all((use.purpose, use.keys, use.lifetime, use.bound, use.without)), use
        assert use.longest_seconds > 0
