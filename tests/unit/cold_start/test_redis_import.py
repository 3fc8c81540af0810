"""The cache imports a part of redis-py, and the rest stays available."""

import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from tenantgate.cold_start.redis_import import without_commands

PREPARE = (
    "import os, sys\n"
    "os.environ |= {'ENVIRONMENT': 'test', 'REDIS_URL': 'redis://127.0.0.1'}\n"
    "from tenantgate.cache.wiring import prepare_cache\n"
    "prepare_cache()\n"
)


def run(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, env={}, timeout=60)


def test_the_cache_imports_no_commands() -> None:
    run(
        PREPARE
        + "assert 'redis.asyncio.connection' in sys.modules\n"
        + "assert not {'redis.client', 'redis.commands', 'redis.asyncio.cluster'} & sys.modules.keys()\n"
    )


def test_the_rest_of_the_library_stays_available() -> None:
    run(
        PREPARE
        + "import redis\n"
        + "from redis.asyncio import Redis\n"
        + "from redis.exceptions import ConnectionError\n"
        + "assert redis.Redis is sys.modules['redis.client'].Redis\n"
        + "assert Redis is redis.asyncio.Redis is sys.modules['redis.asyncio.client'].Redis\n"
        + "assert redis.ConnectionError is ConnectionError\n"
        + "assert redis.__version__\n"
        + "assert not hasattr(redis, 'no_such_name')\n"
    )


def test_an_imported_library_remains_unchanged() -> None:
    run("import redis, redis.asyncio\nbefore = redis.Redis\n" + PREPARE + "assert redis.Redis is before\n")


def test_the_import_system_and_tools_run_no_code_of_the_package() -> None:
    run(
        PREPARE
        + "import importlib.util, inspect, redis\n"
        + "assert importlib.util.find_spec('redis.client') and inspect.getsourcefile(redis)\n"
        + "assert not hasattr(redis, '__wrapped__') and 'redis.client' not in sys.modules\n"
    )


def _loaded() -> dict[str, ModuleType]:
    return {name: module for name, module in sys.modules.items() if name == "redis" or name.startswith("redis.")}


@pytest.fixture
def _not_imported() -> Iterator[None]:
    """In this process, as if the library had not been imported; afterwards as before."""
    before = _loaded()
    for name in before:
        del sys.modules[name]
    yield
    for name in _loaded():
        del sys.modules[name]
    sys.modules.update(before)


@pytest.mark.usefixtures("_not_imported")
def test_the_packages_run_their_own_code_at_the_first_use_of_a_name() -> None:
    without_commands()
    importlib.import_module("redis.asyncio.connection")
    assert "redis.client" not in sys.modules
    # A second call changes nothing.
    late = sys.modules["redis"]
    without_commands()
    assert sys.modules["redis"] is late
    assert not hasattr(late, "__wrapped__")
    assert "redis.client" not in sys.modules
    client = late.Redis
    assert client is sys.modules["redis.client"].Redis
    assert not hasattr(late, "no_such_name")


@pytest.mark.usefixtures("_not_imported")
def test_a_missing_library_is_left_to_its_importer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    without_commands()
    assert _loaded() == {}
