"""The release of a commit: its id, its stack and its parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenantgate.database.known_revisions import KNOWN_REVISIONS
from tenantgate_cli.console import Failure
from tenantgate_cli.deploy.release import Release, release_id, release_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def release(folder: Path, text: str = "Preset: small\n", **variables: str) -> Release:
    file = folder / "parameters.yaml"
    file.write_text(text)
    return release_of("prod", COMMIT, variables, params=file, architecture="arm64")


def test_the_id_changes_with_the_commit_and_with_each_parameter() -> None:
    ids = {
        release_id(COMMIT, {"A": "1", "B": "2"}),
        release_id(COMMIT, {"A": "1", "B": "3"}),
        release_id(COMMIT, {"A": "1"}),
        release_id(COMMIT[:-1] + "8", {"A": "1", "B": "2"}),
    }

    assert len(ids) == 4
    assert release_id(COMMIT, {"B": "2", "A": "1"}) in ids


def test_the_architecture_is_part_of_the_release_and_no_parameter(tmp_path: Path) -> None:
    file = tmp_path / "parameters.yaml"
    file.write_text("Preset: small\nArchitecture: x86_64\n")
    made = [release_of("prod", COMMIT, {}, params=file, architecture=arch) for arch in ("arm64", "x86_64")]

    assert "Architecture" not in made[0].parameters
    assert made[0].parameters["ReleaseId"] != made[1].parameters["ReleaseId"]


def test_the_stack_and_the_schemas_revision_are_those_of_the_checkout(tmp_path: Path) -> None:
    made = release(tmp_path, AWS_REGION="eu-central-1")

    assert (made.stack, made.region) == ("tenantgate-prod", "eu-central-1")
    assert made.parameters["SchemaRevision"] == KNOWN_REVISIONS[-1]


def test_variables_give_what_the_file_does_not(tmp_path: Path) -> None:
    text = "OidcIssuerUrl: https://of-the-file.example.com\n"
    made = release(tmp_path, text, OIDC_ISSUER_URL="https://other.example.com", OIDC_CLIENT_ID="my-client")

    assert made.parameters["OidcIssuerUrl"] == "https://of-the-file.example.com"
    assert made.parameters["OidcClientId"] == "my-client"


@pytest.mark.parametrize("name", ["ReleaseId", "SchemaRevision"])
def test_a_computed_parameter_in_the_file_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(Failure, match=name):
        release(tmp_path, f"{name}: '0007'\n")


def test_only_this_user_can_read_the_parameters_while_sam_does(tmp_path: Path) -> None:
    with release(tmp_path, "DatabaseUrl: secret\n").parameter_file() as file:
        assert file.parent.stat().st_mode & 0o077 == 0
        assert "secret" in file.read_text()

    assert not file.exists()


def test_no_text_of_a_release_has_its_parameters(tmp_path: Path) -> None:
    assert "secret" not in repr(release(tmp_path, "DatabaseUrl: secret\n"))
