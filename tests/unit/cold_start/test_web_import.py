"""Parts that the quick import omits are imported on demand: in a fresh process, as at a cold start."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

PROBE = """
import gc, json
from tenantgate.cold_start.web_import import import_quickly, quickly
with quickly():
    collecting = gc.isenabled()
    router = import_quickly("functions.health.routes").router
from fastapi.openapi.models import Schema
from pydantic import BaseModel
from tenantgate.settings.model import Settings
from tenantgate.web.app import create_app
deferred = not Schema.__pydantic_complete__
app = create_app(router, settings=Settings.from_mapping({"ENVIRONMENT": "test", "LOG_LEVEL": "ERROR"}))
class Later(BaseModel):
    name: str
print(json.dumps({
    "collecting": [collecting, gc.isenabled()],
    "deferred": deferred,
    "restored": Later.__pydantic_complete__ and "defer_build" not in BaseModel.model_config,
    "rebuilds": Schema.model_rebuild(),
    "paths": sorted(app.openapi()["paths"]),
}))
"""


def test_fastapi_works_as_usual_after_a_quick_import() -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'shared'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert told == {
        "collecting": [False, True],
        "deferred": True,
        "restored": True,
        "rebuilds": True,
        "paths": ["/api/v1/health/live", "/api/v1/health/ready"],
    }
