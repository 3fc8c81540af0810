"""The keys of backups: their sources, and the proofs that they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from tenantgate.aws.secrets_manager import secrets_client
from tenantgate_cli.backup.keys import BackupKeys, new_key, read_keys
from tenantgate_cli.console import Failure


def key_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "backup.key"
    file.touch(mode=mode)
    file.chmod(mode)
    file.write_text(text, encoding="utf-8")
    return file


def test_a_proof_holds_for_one_name_and_for_earlier_keys() -> None:
    old, new = new_key(), new_key()
    by_old = BackupKeys([old]).proof("a/0001")
    keys = BackupKeys([new, old])
    assert keys.proves("a/0001", by_old)
    assert keys.proves("a/0001", keys.proof("a/0001"))
    assert keys.proof("a/0001") != by_old
    assert not keys.proves("a/0002", by_old)
    assert not BackupKeys([new]).proves("a/0001", by_old)
    assert not keys.proves("a/0001", "ä")


def test_a_file_has_keys_and_comments(tmp_path: Path) -> None:
    first, second = new_key(), new_key()
    file = key_file(tmp_path, f"# of November\n{first}\n\n{second}\n")
    assert read_keys(file, {"BACKUP_KEY": new_key()}).proof("x") == BackupKeys([first]).proof("x")


def test_a_variable_has_the_key() -> None:
    key = new_key()
    assert BackupKeys([key.lower()]).proof("x") == BackupKeys([key]).proof("x")
    assert read_keys(None, {"BACKUP_KEY": key}).proof("x") == BackupKeys([key]).proof("x")


@pytest.mark.parametrize("variables", [{}, {"BACKUP_KEY": ""}])
def test_without_a_key(variables: Mapping[str, str]) -> None:
    with pytest.raises(Failure, match="no key is given") as failure:
        read_keys(None, variables)
    assert "tenantgate keys backup" in failure.value.remedy


@pytest.mark.parametrize(
    "change", [lambda key: key[:-1], lambda key: key[1:], lambda key: key + "Q", lambda _: "# nothing"]
)
def test_a_wrong_key_is_never_repeated(change: object) -> None:
    assert callable(change)
    text = change(new_key())
    with pytest.raises(Failure) as failure:
        read_keys(None, {"BACKUP_KEY": text})
    assert text not in str(failure.value) + failure.value.remedy


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Return a function that stores a secret in moto's Secrets Manager and returns its ARN."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)

    def make(**given: object) -> str:
        client = boto3.client("secretsmanager", "eu-central-1")
        return str(client.create_secret(Name="tenantgate-backup", **given)["ARN"])

    # The client is kept for the process, with its credentials.
    secrets_client.cache_clear()
    with mock_aws():
        yield make
    secrets_client.cache_clear()


def of_secret(secret_id: str, region: str = "eu-central-1") -> BackupKeys:
    return read_keys(None, {"BACKUP_KEY_SECRET_ID": secret_id, "AWS_REGION": region})


def test_a_secret_has_the_keys_by_its_name_or_arn(secret: Callable[..., str]) -> None:
    newest, earlier = new_key(), new_key()
    arn = secret(SecretString=f"# of November\n{newest}\n{earlier}\n")
    for secret_id in ("tenantgate-backup", arn):
        keys = of_secret(secret_id)
        assert keys.proof("x") == BackupKeys([newest]).proof("x")
        assert keys.proves("x", BackupKeys([earlier]).proof("x"))


def test_a_file_and_a_variable_come_before_the_secret(secret: Callable[..., str], tmp_path: Path) -> None:
    secret(SecretString=new_key())
    variables = {"BACKUP_KEY_SECRET_ID": "tenantgate-backup", "AWS_REGION": "eu-central-1", "BACKUP_KEY": new_key()}
    of_file = new_key()
    assert read_keys(key_file(tmp_path, of_file), variables).proof("x") == BackupKeys([of_file]).proof("x")
    assert read_keys(None, variables).proof("x") == BackupKeys([variables["BACKUP_KEY"]]).proof("x")


@pytest.mark.parametrize("change", [lambda key: key[:-1], lambda key: key + "Q", lambda _: "no-key-at-all"])
def test_a_secret_with_another_text_is_never_repeated(secret: Callable[..., str], change: Callable[[str], str]) -> None:
    text = change(new_key())
    secret(SecretString=text)
    with pytest.raises(Failure, match="the secret of BACKUP_KEY_SECRET_ID: a key is one line") as failure:
        of_secret("tenantgate-backup")
    assert text not in str(failure.value) + failure.value.remedy


@pytest.mark.parametrize(
    ("given", "region", "reason"),
    [
        pytest.param({"SecretString": "k"}, "eu-west-1", "can't be read: ResourceNotFound", id="of-another-region"),
        pytest.param({"SecretBinary": b"k"}, "eu-central-1", "has no text", id="binary"),
    ],
)
def test_a_secret_that_is_missing_or_has_no_text(
    secret: Callable[..., str], given: dict[str, object], region: str, reason: str
) -> None:
    secret(**given)
    with pytest.raises(Failure, match=reason) as failure:
        of_secret("tenantgate-backup", region)
    assert failure.value.remedy


def test_a_role_that_may_not_read_the_secret(secret: Callable[..., str]) -> None:
    """AWS's own error: moto's has another form."""
    secret(SecretString=new_key())
    with Stubber(secrets_client("eu-central-1")) as client:
        client.add_client_error("get_secret_value", "AccessDeniedException", "User arn:… is not authorized")
        with pytest.raises(Failure, match=r"can't be read: AccessDeniedException$") as failure:
            of_secret("tenantgate-backup")
    assert "may read it" in failure.value.remedy


def test_a_key_file_that_others_can_read(tmp_path: Path) -> None:
    file = key_file(tmp_path, new_key(), 0o640)
    with pytest.raises(Failure, match="other users") as failure:
        read_keys(file, {})
    assert failure.value.remedy == f"chmod 600 {file}"


def test_a_key_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="can't be read: No such file"):
        read_keys(tmp_path / "none", {})
