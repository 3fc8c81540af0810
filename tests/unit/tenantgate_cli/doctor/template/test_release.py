"""The release's id, its schema, the route rules and the base image."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenantgate_cli.doctor.template import release
from tenantgate_cli.doctor.template.deployment import Deployment
from tenantgate_cli.doctor.template.release import base_image, release_id, route_rules, schema_revision
from tenantgate_cli.paths import TEMPLATE
from tests.fixtures.doctor.template import TEXT, deployment

DIGEST = "@sha256:" + "0123456789abcdef" * 4


def test_a_release_without_an_id_would_not_ship(tmp_path: Path) -> None:
    assert release_id(deployment(tmp_path)).status == "ok"
    assert release_id(deployment(tmp_path, ReleaseId="")).status == "skipped"
    assert release_id(deployment(tmp_path, ReleaseId="000000000000", is_required=True)).status == "failed"
    assert release_id(deployment(tmp_path, text=TEXT.replace("  ReleaseId", "  Other"))).status == "failed"


def test_the_schemas_revision_is_the_newest_of_the_code(tmp_path: Path) -> None:
    assert schema_revision(deployment(tmp_path)).status == "ok"
    assert schema_revision(deployment(tmp_path, SchemaRevision="0001")).status == "failed"
    assert schema_revision(deployment(tmp_path, text=TEXT.replace("  SchemaRev", "  Other"))).status == "failed"


def test_the_shipped_rules_fit_the_template_and_one_without_an_authorizer_fails(tmp_path: Path) -> None:
    assert route_rules(Deployment(TEMPLATE)).status == "ok"
    assert route_rules(deployment(tmp_path)).status == "failed"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (f"FROM python:3.13-slim{DIGEST} AS build\nFROM build\n", "ok"),
        (f"ARG BASE=python:3.13-slim{DIGEST}\nFROM ${{BASE}} AS build\nFROM ${{BASE}}\n", "ok"),
        ("ARG BASE=python:3.13-slim\nFROM ${BASE} AS build\nFROM ${BASE}\n", "warning"),
        (f"FROM --platform=linux/arm64 python:3.13{DIGEST} AS build\nFROM debian:trixie\n", "warning"),
    ],
)
def test_a_base_image_is_pinned_by_its_digest(
    text: str, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(text)
    monkeypatch.setattr(release, "DOCKERFILE", file)

    assert base_image(deployment(tmp_path)).status == status
