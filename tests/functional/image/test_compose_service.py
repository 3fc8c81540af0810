"""The service `api` of `container/compose.yaml`, without Compose: its image, variables and restrictions, for real.

The servers are those of the tests, on this machine's network. tests/functional/compose runs the whole file where an
engine of Compose responds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tenantgate_cli.stack.servers.postgres import PostgresAddresses
from tests.fixtures.image.containers import RunningImage, running
from tests.fixtures.image.engine import Engine
from tests.fixtures.programs.requires import requires_image_tools
from tests.functional.compose.test_compose import READY, api_variables, services, written

pytestmark = [pytest.mark.xdist_group("stacks"), requires_image_tools]


def restrictions() -> tuple[str, ...]:
    """Return the options of `podman run` that the file's members stand for."""
    api = services()["api"]
    read_only = ("--read-only", "--read-only-tmpfs=false") if api["read_only"] else ()
    capabilities = [option for name in api["cap_drop"] for option in ("--cap-drop", name)]
    security = [option for text in api["security_opt"] for option in ("--security-opt", text.removesuffix(":true"))]
    return (*read_only, *capabilities, *security)


@pytest.fixture
def served(image: Engine, empty_database: PostgresAddresses, redis_url: str, tmp_path: Path) -> Iterator[RunningImage]:
    def variables(port: int) -> dict[str, str]:
        made = api_variables(**written(), PORT=str(port))
        assert made["DATABASE_URL"].endswith("@postgres:5432/tenantgate")
        assert made["REDIS_URL"].endswith("@valkey:6379/0")
        return made | {"DATABASE_URL": empty_database.admin_url, "REDIS_URL": redis_url, "DRAIN_SECONDS": "0"}

    with running(image, variables, tmp_path, flags=restrictions()) as (started,):
        yield started


def test_it_is_ready_with_the_built_in_provider_and_signs_in_there(served: RunningImage) -> None:
    checks = served.await_ready().json()["checks"]
    base = f"http://localhost:{served.port}"
    with httpx2.Client(base_url=base, trust_env=False, timeout=30) as client:
        found = client.get("/idp/.well-known/openid-configuration").json()
        redirected = client.get("/api/v1/auth/login")

    # The tests' PostgreSQL may have no pgvector.
    assert checks | {"vector": "ok"} == READY
    assert found["issuer"] == f"{base}/idp"
    assert redirected.status_code == 302
    assert redirected.headers["location"].startswith(f"{found['authorization_endpoint']}?")
