"""The cache imports a part of redis-py, and the rest stays available."""

import subprocess
import sys

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
