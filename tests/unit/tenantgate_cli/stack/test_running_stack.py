"""The running stack's description of itself."""

from __future__ import annotations

from pathlib import Path

from lambda_gateway.model import Api, FunctionSpec, Kind, Template
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.running_stack import RunningStack, described, running_stack

TEMPLATE = Template(
    paths=(),
    apis=(Api("a-Orders", (), {}, id="Orders", kind=Kind.REST), Api("HttpApi", (), {})),
    functions={name: FunctionSpec(name, "a.b", Path(), Path()) for name in ("B", "A")},
)
SETTINGS = {
    "OIDC_ISSUER_URL": "http://localhost:3000/idp",
    "ROUTE_RULES_FILE": "/rules.toml",
    "DATABASE_URL": "postgresql://user:canary@localhost/x",
    "OIDC_CLIENT_SECRET": "canary",
    "COOKIE_SEALING_KEYS": "canary",
    "TENANT_ID_PATTERN": "",
}


def test_what_a_stack_publishes_is_read_by_other_commands(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    assert running_stack(folder) is None
    with folder.held():
        folder.publish(url="http://localhost:3000", owner_url="postgresql://x", **described(TEMPLATE, SETTINGS))
        found = running_stack(folder)
    assert found == RunningStack(
        "http://localhost:3000",
        {"OIDC_ISSUER_URL": "http://localhost:3000/idp", "ROUTE_RULES_FILE": "/rules.toml"},
        {"Orders": "REST API", "local": "HTTP API"},
        ("A", "B"),
    )
    assert found.issuer == "http://localhost:3000/idp"
    # The lock is gone: the stack has ended.
    assert running_stack(folder) is None


def test_a_stack_publishes_no_secret() -> None:
    assert "canary" not in str(described(TEMPLATE, SETTINGS))


def test_a_container_publishes_only_its_address(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    with folder.held():
        folder.publish(url="http://localhost:3000", owner_url="postgresql://x")
        assert running_stack(folder) == RunningStack("http://localhost:3000")
