"""The example of Lambda's tenant isolation, as SAM deploys it and as its function runs."""

from __future__ import annotations

import importlib.util
import json
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tenantgate_cli.paths import ROOT
from tests.fixtures.template.deployed import deployed_stack

EXAMPLE = ROOT / "examples" / "tenant_isolation"


@pytest.fixture
def app() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reports_app", EXAMPLE / "reports" / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(app: ModuleType, method: str, caller: str, environment: str | None) -> dict[str, Any]:
    event = {"httpMethod": method, "requestContext": {"authorizer": {"tenant_id": caller}}}
    response: dict[str, Any] = app.lambda_handler(event, SimpleNamespace(tenant_id=environment))
    return response


def test_every_route_is_guarded_and_passes_the_verified_tenant() -> None:
    deployed = deployed_stack(EXAMPLE / "template.yaml")
    body = deployed.properties("ReportsApi")["Body"]
    operations = [operation for methods in body["paths"].values() for operation in methods.values()]
    assert len(operations) == 2
    for operation in operations:
        assert operation["security"] == [{"Tenantgate": []}]
        integration = operation["x-amazon-apigateway-integration"]
        assert integration["requestParameters"] == {
            "integration.request.header.X-Amz-Tenant-Id": "context.authorizer.tenant_id"
        }
    assert deployed.functions["ReportsFunction"]["TenancyConfig"] == {"TenantIsolationMode": "PER_TENANT"}


def test_the_function_serves_its_tenant(app: ModuleType) -> None:
    call(app, "POST", "org-1", "org-1")
    assert json.loads(call(app, "GET", "org-1", "org-1")["body"]) == {"tenant_id": "org-1", "reports": ["report 1"]}


@pytest.mark.parametrize(("caller", "environment"), [("org-1", "org-2"), ("org-1", None), ("", "")])
def test_the_function_refuses_an_environment_of_another_tenant(
    app: ModuleType, caller: str, environment: str | None
) -> None:
    with pytest.raises(PermissionError):
        call(app, "GET", caller, environment)
