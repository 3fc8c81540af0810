import json
import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tenantgate.web import docs
from tenantgate.web.app import create_app
from tenantgate.web.docs import documentation_routes
from tests.fixtures.web.setup import make_settings


def test_the_page_and_its_assets_are_served_from_here(tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps({"openapi": "3.1.0", "paths": {}}))
    app = create_app(settings=make_settings(), extra_routes=documentation_routes(document))
    with TestClient(app, base_url="https://gate.example.test") as client:
        page = client.get("/docs")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "script-src 'self';" in page.headers["content-security-policy"]
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert len(loaded) == 7
        for target in loaded:
            assert target.startswith(("/docs/", "data:"))
            if target.startswith("/"):
                response = client.get(target)
                assert response.status_code == 200
                assert response.content
        assert client.get("/docs/openapi.json").json()["openapi"] == "3.1.0"
        for name in ("start.js", "theme.js"):
            assert client.get(f"/docs/assets/{name}").headers["content-type"].startswith("text/javascript")
        assert client.get("/docs/assets/docs.css").headers["content-type"].startswith("text/css")
        assert client.get("/docs/assets/..%2f..%2f__init__.py").status_code == 404


def test_a_range_is_ignored_and_never_an_error_of_another_shape(tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    document.write_text("{}")
    app = create_app(settings=make_settings(), extra_routes=documentation_routes(document))
    with TestClient(app, base_url="https://gate.example.test") as client:
        for value in ("bytes=9-1", "bytes=0-1", "bytes=999999999-", "x"):
            response = client.get("/docs/openapi.json", headers={"range": value})
            assert (response.status_code, response.text) == (200, "{}")


def test_missing_assets_name_the_extra_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs, "find_spec", lambda _name: None)
    with pytest.raises(RuntimeError, match=r"install tenantgate\[container\]"):
        documentation_routes(tmp_path / "openapi.json")
