"""`tenantgate audit verify`, `prove`, `checkpoint` and `check-proof` with a real PostgreSQL and a folder of anchors."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from tenantgate.crypto.sealing import new_sealing_key
from tenantgate.database.pool import PooledDatabase
from tenantgate.transparency.notes import public_key
from tenantgate.transparency.signers import local_keys
from tenantgate_cli.main import app
from tests.fixtures.databases.postgres import DatabaseUrls, execute
from tests.fixtures.transparency.logs import OTHER, PRIVATE, SealedLog


class Operator:
    """Runs commands on logs of one database. `anchors`: the folder, with one object for each tenant."""

    def __init__(self, urls: DatabaseUrls, folder: Path) -> None:
        self.urls = urls
        self.folder = folder
        self.anchors = folder / "anchors"
        (self.anchors / "checkpoints").mkdir(parents=True)

    def log(self, *counts: int, registered: bool = True) -> SealedLog:
        """Return a tenant's log with a checkpoint for each of `counts`."""
        tenant_id = f"org-{uuid4()}"
        if registered:
            execute(self.urls.admin_url, f"INSERT INTO tenants (tenant_id) VALUES ('{tenant_id}')")
        return self.on(tenant_id, lambda log: log.add_and_seal(*counts))

    def on(self, tenant_id: str, work: Callable[[SealedLog], Coroutine[None, None, None]]) -> SealedLog:
        """Work on a log, and anchor its new checkpoints."""

        async def run() -> SealedLog:
            database = PooledDatabase(self.urls.app_url)
            try:
                log = SealedLog(database, tenant_id)
                await work(log)
                return log
            finally:
                await database.dispose()

        log = asyncio.run(run())
        content = json.dumps({"version": 1, "checkpoints": log.anchored})
        (self.anchors / "checkpoints" / str(uuid4())).write_text(content)
        return log

    def run(self, *words: str, key: str | Sequence[str] | None = None) -> Result:
        """Run `tenantgate audit`. `key`: the verifier key, or several; empty: those of the deployment."""
        keys = [str(public_key("acme.example/audit/any", PRIVATE))] if key is None else key
        keys = [keys] if isinstance(keys, str) else keys
        command = ["audit", *words, *(word for vkey in keys if vkey for word in ("--key", vkey))]
        return CliRunner().invoke(app, command if words[0] == "check-proof" else [*command, *self._database])

    @property
    def _database(self) -> list[str]:
        return ["--database-url", self.urls.app_url]

    def verify(self, *words: str) -> Result:
        return self.run("verify", "--anchors", str(self.anchors), *words)

    def tamper(self, statement: str) -> None:
        """Change the database as a superuser."""
        execute(self.urls.admin_url, "SET session_replication_role = replica", statement)


@pytest.fixture
def operator(database_urls: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    # An earlier test of this process may have sent the log to standard output, which is for the result.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.chdir(tmp_path)
    return Operator(database_urls, tmp_path)


def test_all_logs_are_verified_and_each_wrong_one_is_named(operator: Operator) -> None:
    first, second = operator.log(3, 2), operator.log(4)
    unregistered = operator.log(1, registered=False)
    result = operator.verify()
    assert (result.exit_code, "all as they were sealed" in result.stdout) == (0, True), result.output
    logs = {log["tenant_id"]: log for log in json.loads(operator.verify("--json").stdout)["logs"]}
    assert {logs[log.tenant_id]["events"] for log in (first, second, unregistered)} == {5, 4, 1}

    operator.tamper(f"UPDATE audit_events SET outcome = 'failure' WHERE id = '{first.events[1]}'")
    operator.tamper(f"DELETE FROM audit_leaves WHERE tenant_id = '{second.tenant_id}' AND position = 3")
    result = operator.verify()
    assert result.exit_code == 1
    lines = " ".join(result.stderr.split())
    assert f"✗ {first.tenant_id}: position 1, event {first.events[1]}, row_changed: the event isn't" in lines
    assert f"✗ {second.tenant_id}: position 3, log_cut_off: the checkpoint in the database has 4 events" in lines
    assert "2 of" in result.stdout
    told = json.loads(operator.verify("--json", "--tenant", first.tenant_id).stdout)
    assert (told["ok"], [log["wrong"] for log in told["logs"]], told["has_anchors"]) == (False, [1], True)
    assert [problem["problem"].split(":")[0] for problem in told["problems"]] == [first.tenant_id]
    assert operator.verify("--tenant", unregistered.tenant_id).exit_code == 0


def test_an_anchor_that_was_changed_is_named(operator: Operator) -> None:
    (operator.anchors / "checkpoints" / "broken").write_text('{"version": 1, "checkpoints": [1]}')
    result = operator.verify("--tenant", operator.log(1).tenant_id)
    assert (result.exit_code, "checkpoints/broken isn't an object of checkpoints" in result.stderr) == (1, True)


def test_a_verification_without_anchors_says_so(operator: Operator) -> None:
    result = operator.run("verify", "--tenant", operator.log(1).tenant_id)
    assert (result.exit_code, "no anchors were given" in result.stderr) == (0, True)


def test_another_key_or_folder_is_refused(operator: Operator) -> None:
    log = operator.log(1)
    other = operator.run("verify", "--tenant", log.tenant_id, key=str(public_key("any", OTHER)))
    assert (other.exit_code, "checkpoint_forged" in other.stderr) == (1, True)
    for words, key, part in (
        (("verify",), "no key", "verifier key"),
        (("verify", "--anchors", "none"), None, "isn't a folder"),
        (("prove", "no-id", "--tenant", "t"), None, "isn't the id of an event"),
        (("prove", str(uuid4()), "--tenant", log.tenant_id), None, "no such event"),
        (("checkpoint", "--tenant", "no-log"), None, "no log yet"),
        (("checkpoint", "--tenant", log.tenant_id, "--since", "none"), None, "can't be read"),
        (("checkpoint", "--tenant", log.tenant_id, "--output", "none/none"), None, "can't be written"),
    ):
        result = operator.run(*words, key=key)
        assert (result.exit_code, part in result.stderr) == (1, True), result.output


def test_a_tenant_checks_its_proofs_offline(operator: Operator) -> None:
    log = operator.log(3, 4)
    key = str(public_key(log.origin, PRIVATE))
    event_id = str(log.events[4])
    written = operator.run("prove", event_id, "--tenant", log.tenant_id, "--json")
    assert json.loads(written.stdout)["file"] == f"{event_id}.tlog-proof"
    shown = json.loads(operator.run("check-proof", f"{event_id}.tlog-proof", "--json", key=key).stdout)
    assert (shown["event"]["id"], shown["position"], shown["checkpoint"]["size"]) == (event_id, 4, 7)

    assert operator.run("checkpoint", "--tenant", log.tenant_id, "--output", "old").exit_code == 0
    operator.on(log.tenant_id, lambda again: again.add_and_seal(2))
    assert operator.run("checkpoint", "--tenant", log.tenant_id, "--since", "old").exit_code == 0
    grown = operator.run("check-proof", "log.proof", "--known", "old", key=key)
    assert (grown.exit_code, "unchanged" in grown.stdout) == (0, True), grown.output
    other = str(public_key(operator.log(1).origin, PRIVATE))
    assert operator.run("check-proof", f"{event_id}.tlog-proof", key=other).exit_code == 1


def test_a_tenant_keeps_each_proof_for_the_next_one(operator: Operator) -> None:
    """The loop of docs/AUDIT.md: the file `new` of one round is `old` in the next one."""
    log = operator.log(3)
    key = str(public_key(log.origin, PRIVATE))
    assert operator.run("checkpoint", "--tenant", log.tenant_id, "--output", "old").exit_code == 0
    for sizes in ((3, 5), (5, 7)):
        operator.on(log.tenant_id, lambda again: again.add_and_seal(2))
        made = operator.run("checkpoint", "--tenant", log.tenant_id, "--since", "old", "--output", "new")
        assert made.exit_code == 0, made.output
        checked = json.loads(operator.run("check-proof", "new", "--known", "old", "--json", key=key).stdout)
        assert (checked["known"]["size"], checked["checkpoint"]["size"]) == sizes
        Path("new").replace("old")
    Path("old").write_bytes(b"\xff")
    malformed = operator.run("checkpoint", "--tenant", log.tenant_id, "--since", "old")
    assert (malformed.exit_code, "isn't UTF-8" in malformed.stderr) == (1, True)


def test_a_proof_over_a_rotation_needs_both_keys(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = [new_sealing_key(), new_sealing_key()]
    old, new = (local_keys(seed)[0] for seed in seeds)

    async def seal_with_old(log: SealedLog) -> None:
        await log.add(3)
        await log.seal(private=old)

    async def seal_with_new(log: SealedLog) -> None:
        await log.add(2)
        await log.seal(private=new)

    log = operator.on(f"org-{uuid4()}", seal_with_old)
    monkeypatch.setenv("AUDIT_SIGNING_KEYS", seeds[0])
    assert operator.run("checkpoint", "--tenant", log.tenant_id, "--output", "old", key="").exit_code == 0
    first = operator.run("prove", str(log.events[0]), "--tenant", log.tenant_id, "--output", "event", key="")
    assert first.exit_code == 0, first.output
    operator.on(log.tenant_id, seal_with_new)
    monkeypatch.setenv("AUDIT_SIGNING_KEYS", ",".join(reversed(seeds)))
    made = operator.run("checkpoint", "--tenant", log.tenant_id, "--since", "old", "--output", "new", key="")
    assert made.exit_code == 0, made.output

    old_key, new_key = (str(public_key(log.origin, private)) for private in (old, new))
    both = operator.run("check-proof", "new", "--known", "old", key=[new_key, old_key])
    assert (both.exit_code, "unchanged" in both.stdout) == (0, True), both.output
    assert operator.run("check-proof", "event", key=[new_key, old_key]).exit_code == 0
    elsewhere = str(public_key(f"{log.origin}-2", new))
    for keys in ([old_key], [new_key], [old_key, elsewhere]):
        refused = operator.run("check-proof", "new", "--known", "old", key=keys)
        assert (refused.exit_code, "no known key signed it" in refused.stderr) == (1, True), refused.output


def test_progress_is_shown_without_a_terminal(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenantgate.transparency.pages._LEAF_PAGE", 2)
    result = operator.verify("--tenant", operator.log(6).tenant_id)
    assert [line for line in result.stderr.splitlines() if line.startswith("events")] == [
        "events 2 of 6",
        "events 4 of 6",
        "events 6 of 6",
    ]


def test_keys_and_anchors_are_those_of_the_deployment(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = operator.run("verify", "--tenant", "org-1", key="")
    assert (missing.exit_code, "AUDIT_SIGNING_KEYS" in missing.stderr) == (1, True), missing.output
    seed = new_sealing_key()
    (private,) = local_keys(seed)
    monkeypatch.setenv("AUDIT_SIGNING_KEYS", seed)
    monkeypatch.setenv("AUDIT_ANCHOR_FOLDER", str(operator.anchors))

    async def add_and_seal(log: SealedLog) -> None:
        await log.add(2)
        await log.seal(private=private)

    log = operator.on(f"org-{uuid4()}", add_and_seal)
    result = operator.run("verify", "--tenant", log.tenant_id, "--json", key="")
    assert (result.exit_code, json.loads(result.stdout)["has_anchors"]) == (0, True), result.output
    operator.tamper(f"DELETE FROM audit_checkpoints WHERE tenant_id = '{log.tenant_id}'")
    assert operator.run("verify", "--tenant", log.tenant_id, key="").exit_code == 1
