"""The built bundles: sizes, bytecode and architecture."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenantgate_cli.doctor.template import bundles
from tenantgate_cli.doctor.template.bundles import architecture, bytecode, sizes, zipped_size
from tests.fixtures.doctor.template import TEXT, deployment, write_bundles


def test_sound_bundles_pass(tmp_path: Path) -> None:
    write_bundles(tmp_path)
    of = deployment(tmp_path, built=True)

    assert [check(of).status for check in (sizes, bytecode, architecture)] == ["ok", "ok", "ok"]


@pytest.mark.parametrize("check", [sizes, bytecode, architecture])
def test_without_bundles_a_check_is_skipped_and_a_deployment_fails(check: object, tmp_path: Path) -> None:
    assert callable(check)
    assert check(deployment(tmp_path)).status == "skipped"
    assert check(deployment(tmp_path, is_required=True)).status == "failed"


def test_a_function_that_is_not_built_is_named(tmp_path: Path) -> None:
    write_bundles(tmp_path)
    more = TEXT + "  OtherFunction: { Type: AWS::Serverless::Function, Properties: {} }\n"

    finding = sizes(deployment(tmp_path, text=more, built=True))

    assert (finding.status, "OtherFunction" in finding.found) == ("failed", True)


@pytest.mark.parametrize(("limit", "status"), [("UNZIPPED_LIMIT", "failed"), ("ZIPPED_GOAL", "warning")])
def test_bundles_that_are_too_large_are_found(
    limit: str, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bundles(tmp_path)
    monkeypatch.setattr(bundles, limit, 10)

    assert sizes(deployment(tmp_path, built=True)).status == status


def test_the_zipped_size_is_that_of_a_zip_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("a" * 100_000)

    assert 100 < zipped_size(tmp_path) < 1000


def test_bytecode_of_another_python_is_found(tmp_path: Path) -> None:
    write_bundles(tmp_path, magic=b"\x00\x00\r\n")

    finding = bytecode(deployment(tmp_path, built=True))

    assert (finding.status, "2 files have another magic" in finding.found) == ("failed", True)


def test_another_runtime_than_this_python_is_found(tmp_path: Path) -> None:
    write_bundles(tmp_path)

    finding = bytecode(deployment(tmp_path, text=TEXT.replace("python3.13", "python3.12"), built=True))

    assert (finding.status, "python3.12" in finding.found) == ("failed", True)


def test_shared_objects_for_another_architecture_are_found(tmp_path: Path) -> None:
    write_bundles(tmp_path, machine=183)

    wrong = architecture(deployment(tmp_path, built=True))
    right = architecture(deployment(tmp_path, text=TEXT.replace("x86_64", "arm64"), built=True))

    assert (wrong.status, right.status) == ("failed", "ok")
    assert "library.so" in wrong.found
