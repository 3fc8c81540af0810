"""The data folder of the stack on a developer's machine."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from dotenv import dotenv_values

from tenantgate_cli.console import Failure
from tenantgate_cli.stack.data_folder import DataFolder

BASE = "http://127.0.0.1:3000"


def test_secrets_are_created_once_and_readable_only_by_the_caller(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    made = folder.secrets()
    assert folder.secrets() == made
    assert (tmp_path / "secrets.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "not json", "{}", '{"OIDC_CLIENT_SECRET": 1}'])
def test_damaged_secrets_are_reported_with_the_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets.json").write_text(text)
    with pytest.raises(Failure) as failure:
        DataFolder(tmp_path).secrets()
    assert "RESET=1" in failure.value.remedy


def test_only_one_process_at_a_time_holds_the_folder(tmp_path: Path) -> None:
    first, second = DataFolder(tmp_path), DataFolder(tmp_path)
    with first.held():
        first.publish(url=BASE)
        with pytest.raises(Failure, match=f"in use by tenantgate \\(process [0-9]+, {BASE}\\)"), second.held():
            pass
        assert second.running()["url"] == BASE
    with second.held():
        pass
    assert second.running() == {}


def test_a_file_instead_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(Failure, match="can't be used"), DataFolder(tmp_path / "data").held():
        pass


def test_reset_deletes_only_what_a_stack_created(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.secrets()
    (tmp_path / "postgres" / "cluster").mkdir(parents=True)
    (tmp_path / "valkey").mkdir()
    (tmp_path / "logs").mkdir()
    (tmp_path / "mine.txt").write_text(json.dumps("keep"))
    folder.reset()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_settings_stay_published_when_more_is(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    with folder.held():
        folder.publish(url=BASE)
        assert DataFolder(tmp_path).running_settings() is None
        folder.publish_settings({"ENVIRONMENT": "development"})
        folder.publish(url=f"{BASE}1")
        assert DataFolder(tmp_path).running_settings() == {"ENVIRONMENT": "development"}
        assert DataFolder(tmp_path).running()["url"] == f"{BASE}1"
        assert (tmp_path / "dev.json").stat().st_mode & 0o077 == 0
        folder.withdraw()
        assert DataFolder(tmp_path).running() == {}
    assert DataFolder(tmp_path).running_settings() is None


def test_only_the_caller_can_read_the_servers_urls_while_the_stack_runs(tmp_path: Path) -> None:
    urls = {
        "DATABASE_URL": "postgresql://a:b@h/n",
        "DATABASE_OWNER_URL": "postgresql://o:b@h/n?x=1&y=$z",
        "REDIS_URL": "redis://:$it's@h",
    }
    folder = DataFolder(tmp_path)
    # A file of a stack that was killed, with other permissions.
    folder.servers.write_text("")
    folder.servers.chmod(0o644)
    folder.publish_servers({**urls, "OIDC_CLIENT_ID": "x"})

    assert folder.servers.stat().st_mode & 0o777 == 0o600
    script = f'. {folder.servers}; printf \'%s\\n\' "$DATABASE_URL" "$DATABASE_OWNER_URL" "$REDIS_URL"'
    read = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    written = {name: url.replace("'", "%27") for name, url in urls.items()}
    assert read.splitlines() == list(written.values())
    assert dotenv_values(folder.servers) == written
    folder.withdraw()
    assert not folder.servers.exists()


def test_other_commands_need_an_option_only_for_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert DataFolder(tmp_path / ".local").option() == ""
    assert DataFolder(Path("other")).option() == " --data-dir other"
    assert DataFolder(Path("/elsewhere")).option() == " --data-dir /elsewhere"


def test_a_folder_of_an_earlier_version_gets_a_key_encryption_key_and_keeps_it(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    made = folder.secrets()
    file = tmp_path / "secrets.json"
    file.write_text(json.dumps({name: value for name, value in made.items() if name != "KEY_ENCRYPTION_KEYS"}))

    added = folder.secrets()

    assert added == {**made, "KEY_ENCRYPTION_KEYS": added["KEY_ENCRYPTION_KEYS"]}
    assert folder.secrets() == added
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("earlier", [None, {"OIDC_CLIENT_SECRET": "a", "COOKIE_SEALING_KEYS": "b"}])
def test_callers_at_the_same_time_get_the_same_secrets(tmp_path: Path, earlier: dict[str, str] | None) -> None:
    # Each opens the folder for itself, as a process does: the lock belongs to the open folder.
    with ThreadPoolExecutor(8) as threads:
        for number in range(20):
            folder = tmp_path / str(number)
            folder.mkdir()
            if earlier is not None:
                (folder / "secrets.json").write_text(json.dumps(earlier))
            got = list(threads.map(lambda one: one.secrets(), [DataFolder(folder) for _ in range(8)]))
            assert got == [got[0]] * 8
            assert json.loads((folder / "secrets.json").read_text()) == got[0]
            assert [path.name for path in folder.iterdir()] == ["secrets.json"]
