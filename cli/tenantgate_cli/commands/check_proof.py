"""`tenantgate audit check-proof`: reads only the given files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tenantgate.transparency.checkpoints import Checkpoint
from tenantgate.transparency.errors import Unproven
from tenantgate.transparency.leaves import COLUMNS
from tenantgate.transparency.notes import VerifierKey, verifier_key
from tenantgate.transparency.proofs import (
    MAX_PROOF_BYTES,
    ConsistencyProof,
    InclusionProof,
    check_consistency,
    check_inclusion,
    parse_proof,
)
from tenantgate_cli.console import Failure, printable, say
from tenantgate_cli.results import print_result

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check(file: Path, key_texts: Sequence[str], known: Path | None, *, as_json: bool) -> None:
    """Print what a proof proves. `key_texts`: the log's verifier keys. Raises Failure unless the proof is right."""
    try:
        keys = [verifier_key(text) for text in key_texts]
        proof = parse_proof(_read(file))
        if isinstance(proof, InclusionProof):
            _show_event(proof, keys, known, as_json=as_json)
        else:
            _show_log(proof, keys, known, as_json=as_json)
    except Unproven as error:
        raise Failure(f"{printable(str(file))}: not proven: {error}", _remedy(key_texts)) from None


def _show_event(proof: InclusionProof, keys: Sequence[VerifierKey], known: Path | None, *, as_json: bool) -> None:
    if known is not None:
        raise Failure("--known is for the proof that a log continues an earlier checkpoint", "leave it out")
    found = check_inclusion(proof, keys)
    if as_json:
        event = {name: _member(name, found.row) for name in COLUMNS if found.row[name] is not None}
        print_result(event=event, position=found.position, checkpoint=_checkpoint(found.checkpoint))
        return
    say("✓ the event is in the log", "green")
    say(f"  log               {printable(found.checkpoint.origin)}")
    say(f"  position          {found.position:,} of {found.checkpoint.size:,}")
    say(f"  sealed at         {_moment(found.checkpoint.sealed_at)}")
    for name, kind in COLUMNS.items():
        value = found.row[name]
        if value is not None:
            text = _moment(int(value)) if kind == "time" and value.isdecimal() else printable(value)
            say(f"  {name:<17} {text}")


def _show_log(proof: ConsistencyProof, keys: Sequence[VerifierKey], known: Path | None, *, as_json: bool) -> None:
    if known is None:
        raise Failure("this proof continues an earlier checkpoint", "give the checkpoint that you kept with --known")
    found = check_consistency(proof, known_note(known), keys)
    if as_json:
        print_result(known=_checkpoint(found.old), checkpoint=_checkpoint(found.new))
        return
    say("✓ the log has everything that it had, unchanged", "green")
    say(f"  log               {printable(found.new.origin)}")
    say(f"  known             {found.old.size:,} events, sealed at {_moment(found.old.sealed_at)}")
    say(f"  now               {found.new.size:,} events, sealed at {_moment(found.new.sealed_at)}")


def known_note(file: Path) -> bytes:
    """Return the checkpoint in a file that has only this, or that is a proof with it, unchecked. Raises Failure."""
    raw = _read(file)
    try:
        return parse_proof(raw).note.encode()
    except Unproven:
        return raw


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            # A file without an end must not fill the memory: one byte more than a proof can have is enough.
            return opened.read(MAX_PROOF_BYTES + 1)
    except OSError as error:
        raise Failure(f"{printable(str(file))} can't be read: {error.strerror}", "give the path of a file") from None


def _remedy(key_texts: Sequence[str]) -> str:
    names = ", ".join(dict.fromkeys(printable(text.partition("+")[0]) or "no log" for text in key_texts))
    given = "the key given is that" if len(key_texts) == 1 else "the keys given are those"
    return (
        f"get the file and all verifier keys of the log from the operator again, and give each with --key; {given} of "
        f"{names}"
    )


def _checkpoint(checkpoint: Checkpoint) -> dict[str, object]:
    return {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "sealed_at": checkpoint.sealed_at,
    }


def _member(name: str, row: Mapping[str, str | None]) -> object:
    value = row[name] or ""
    if COLUMNS[name] == "time" and value.isdecimal():
        return int(value)
    return json.loads(value) if COLUMNS[name] == "json" and value.startswith("{") else value


def _moment(microseconds: int | None) -> str:
    if microseconds is None:
        return "unknown"
    try:
        return (_EPOCH + timedelta(microseconds=microseconds)).isoformat(timespec="microseconds")
    except OverflowError:
        return f"{microseconds} µs"
