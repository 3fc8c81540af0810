"""The generated documents match the current code."""

import json
from pathlib import Path

import pytest

from tenantgate.settings.deployment import OPTIONAL_SECRET_NAMES, SECRET_NAMES
from tenantgate.settings.model import Settings
from tenantgate_cli.checks.registry import registry
from tenantgate_cli.generate.documents import DOCUMENTS

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_generated_document_matches_the_code(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)

    assert (ROOT / name).read_text(encoding="utf-8") == DOCUMENTS[name](), "fix: make docs"


def test_every_error_code_has_a_section_with_cause_and_remedy() -> None:
    page = (ROOT / "docs" / "ERROR_CODES.md").read_text(encoding="utf-8")

    for code, error in registry().items():
        assert f"## {code}\n\n**{error.message}**" in page
        assert error.cause in page
        assert error.remedy in page


def test_every_setting_and_secret_is_in_the_example_and_the_page() -> None:
    names = {name.upper() for name in Settings.model_fields} | {*SECRET_NAMES, *OPTIONAL_SECRET_NAMES}
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "CONFIGURATION.md").read_text(encoding="utf-8")

    assert [name for name in names if f"{name}=" not in example] == []
    assert [name for name in names if f"`{name}`" not in page] == []


def test_the_example_is_a_valid_development_environment() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))

    assert Settings.from_mapping(given).is_development


def test_the_openapi_document_declares_what_its_operations_need() -> None:
    document = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
    operations = [operation for path in document["paths"].values() for operation in path.values()]

    assert document["openapi"].startswith("3.1")
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    declared = set(document["components"]["securitySchemes"])
    used = {scheme for operation in operations for need in operation.get("security", []) for scheme in need}
    assert used <= declared
    assert {"bearer", "openIdConnect", "session"} <= declared


def test_every_operation_documents_its_rate_limits() -> None:
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))["paths"]

    operations = [operation for methods in paths.values() for operation in methods.values()]
    assert len(operations) > 10
    for operation in operations:
        assert operation["responses"]["429"]["headers"].keys() >= {"Retry-After", "RateLimit", "RateLimit-Policy"}
