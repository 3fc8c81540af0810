"""The endpoint in docs/API_ARCHITECTURE.md can be built as shown, and responds."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
EXAMPLE = re.compile(r"^```python file=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

INVOKE = """
import json
from functions.tenant_current.handler import lambda_handler

class Context:
    aws_request_id = "request-0001"
    function_name = "tenant_current"

granted = {
    "user_id": "user-1", "tenant_id": "org-1", "issuer": "https://issuer.example", "scopes": "openid",
    "expires_at": 2000000000, "auth_method": "bearer", "request_id": "request-0001",
}

def event(authorizer):
    return {
        "version": "2.0", "routeKey": "GET /api/v1/tenants/current", "rawPath": "/api/v1/tenants/current",
        "rawQueryString": "", "headers": {}, "isBase64Encoded": False,
        "requestContext": {
            "requestId": "request-0001", "stage": "$default", "authorizer": authorizer,
            "http": {"method": "GET", "path": "/api/v1/tenants/current", "sourceIp": "127.0.0.1"},
        },
    }

print(json.dumps([lambda_handler(event(given), Context()) for given in ({"lambda": granted}, None)]))
"""


def test_the_endpoint_shown_works_as_shown(tmp_path: Path) -> None:
    blocks = dict(EXAMPLE.findall((ROOT / "docs" / "API_ARCHITECTURE.md").read_text(encoding="utf-8")))
    assert set(blocks) == {"functions/tenant_current/routes.py", "functions/tenant_current/handler.py"}
    assert blocks["functions/tenant_current/handler.py"] == (ROOT / "functions/auth_me/handler.py").read_text()
    for name, code in blocks.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(code, encoding="utf-8")

    run = subprocess.run(
        [sys.executable, "-c", INVOKE],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{tmp_path}:{ROOT / 'layers' / 'shared'}",
            "ENVIRONMENT": "development",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    granted, anonymous = json.loads(run.stdout.splitlines()[-1])
    assert (granted["statusCode"], json.loads(granted["body"])) == (200, {"tenant_id": "org-1"})
    assert (anonymous["statusCode"], json.loads(anonymous["body"])["error"]["code"]) == (401, "AUTH_007")
