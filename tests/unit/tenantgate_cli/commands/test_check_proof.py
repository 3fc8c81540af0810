"""`tenantgate audit check-proof`: what it prints, and which failures it reports how."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from tenantgate.transparency.checkpoints import log_origin, sealed_checkpoint
from tenantgate.transparency.leaves import COLUMNS, leaf_data
from tenantgate.transparency.notes import public_key, sign
from tenantgate.transparency.proofs import MAX_PROOF_BYTES, ConsistencyProof, InclusionProof
from tenantgate.transparency.tree import consistency_proof, inclusion_proof, leaf_hash, tree_root
from tenantgate_cli.main import app

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(32))
ORIGIN = log_origin("acme.example", "org-1")
KEY = str(public_key(ORIGIN, PRIVATE))
ROW: dict[str, str | None] = {
    **dict.fromkeys(COLUMNS),
    "id": "11111111-2222-4333-8444-555555555555",
    "tenant_id": "org-1",
    "event_type": "AUTH_LOGOUT",
    "resource_id": "\x1b[2Jcleared",
    "detail": '{"reason": "sign_out"}',
    "occurred_at": "1764201600000001",
    "created_at": "Infinity",
}
LEAF = leaf_data(ROW)
HASHES = [leaf_hash(b"1"), leaf_hash(LEAF), leaf_hash(b"3")]


def note(size: int) -> str:
    return sign(
        sealed_checkpoint(ORIGIN, size, tree_root(HASHES[:size]), sealed_at=1_764_201_600_000_000).text, ORIGIN, PRIVATE
    )


EVENT = InclusionProof(LEAF, 1, inclusion_proof(1, HASHES), note(3))
LOG = ConsistencyProof(2, consistency_proof(2, HASHES), note(3))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "event.tlog-proof").write_text(EVENT.text)
    (tmp_path / "log.proof").write_text(LOG.text)
    (tmp_path / "known.checkpoint").write_text(note(2))
    (tmp_path / "earlier.tlog-proof").write_text(
        replace(EVENT, hashes=inclusion_proof(1, HASHES[:2]), note=note(2)).text
    )
    return tmp_path


def run(*words: str | Path, key: str = KEY) -> Result:
    return CliRunner().invoke(app, ["audit", "check-proof", *map(str, words), "--key", key])


def test_an_event_is_shown_with_its_place_in_the_log(files: Path) -> None:
    result = run(files / "event.tlog-proof")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "✓ the event is in the log"
    shown = {line.split(maxsplit=1)[0]: line.split(maxsplit=1)[1] for line in lines[1:] if "sealed at" not in line}
    assert shown["log"] == ORIGIN
    assert shown["position"] == "1 of 3"
    assert shown["event_type"] == "AUTH_LOGOUT"
    assert shown["occurred_at"] == "2025-11-27T00:00:00.000001+00:00"
    assert shown["created_at"] == "Infinity"
    # A proof file is untrusted: no text of it writes to the terminal.
    assert shown["resource_id"] == "?[2Jcleared"
    assert "session_id" not in shown


def test_an_event_as_json(files: Path) -> None:
    result = json.loads(run(files / "event.tlog-proof", "--json").stdout)
    assert result["ok"]
    assert result["event"]["detail"] == {"reason": "sign_out"}
    assert result["event"]["occurred_at"] == 1_764_201_600_000_001
    assert (result["position"], result["checkpoint"]["size"], result["checkpoint"]["origin"]) == (1, 3, ORIGIN)


@pytest.mark.parametrize("known", ["known.checkpoint", "earlier.tlog-proof"])
def test_a_log_continues_the_checkpoint_that_was_kept(files: Path, known: str) -> None:
    result = run(files / "log.proof", "--known", files / known)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "✓ the log has everything that it had, unchanged"
    members = json.loads(run(files / "log.proof", "--known", files / known, "--json").stdout)
    assert (members["known"]["size"], members["checkpoint"]["size"]) == (2, 3)


def test_a_wrong_proof_proves_nothing(files: Path) -> None:
    (files / "event.tlog-proof").write_text(EVENT.text.replace("index 1", "index 0"))
    result = run(files / "event.tlog-proof")
    assert result.exit_code == 1
    assert "not proven: the inclusion proof leads to another root" in result.stderr
    assert "that of acme.example/audit/org-1" in result.stderr
    members = json.loads(run(files / "event.tlog-proof", "--json").stdout)
    assert (members["ok"], len(members["problems"])) == (False, 1)


def test_another_tenants_key_proves_nothing(files: Path) -> None:
    other = public_key(log_origin("acme.example", "org-2"), PRIVATE)
    result = run(files / "event.tlog-proof", key=str(other))
    assert (result.exit_code, "no known key signed it" in result.stderr) == (1, True)


@pytest.mark.parametrize("key", ["", "acme.example", KEY[:-1], KEY.replace("org-1", "org-2"), "\x1b[2J+00000000+AQ"])
def test_a_malformed_key_is_named_as_such(files: Path, key: str) -> None:
    result = run(files / "event.tlog-proof", key=key)
    assert (result.exit_code, "verifier key" in result.stderr, "\x1b" in result.stderr) == (1, True, False)


def test_a_missing_or_oversized_file_is_named(files: Path) -> None:
    missing = run(files / "none")
    assert (missing.exit_code, "No such file" in missing.stderr) == (1, True)
    (files / "large").write_bytes(bytes(MAX_PROOF_BYTES + 10))
    large = run(files / "large")
    assert (large.exit_code, "KiB" in large.stderr) == (1, True)


def test_the_option_known_belongs_to_a_proof_that_continues_a_log(files: Path) -> None:
    without = run(files / "log.proof")
    assert (without.exit_code, "--known" in without.stderr) == (1, True)
    needless = run(files / "event.tlog-proof", "--known", files / "known.checkpoint")
    assert (needless.exit_code, "leave it out" in needless.stderr) == (1, True)


def test_needs_no_database(files: Path) -> None:
    program = (
        "import sys; from tenantgate_cli.main import app\n"
        "try: app()\n"
        "finally: print(sorted(sys.modules.keys() & {'asyncpg', 'sqlalchemy', 'boto3', 'tenantgate.database.pool'}))"
    )
    command = [sys.executable, "-c", program, "audit", "check-proof", str(files / "event.tlog-proof"), "--key", KEY]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"
