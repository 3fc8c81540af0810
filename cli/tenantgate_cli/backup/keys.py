"""The keys of backups: age identities (https://age-encryption.org/v1).

The first one encrypts, all of them decrypt. An age file is encrypted to a public key, so that anyone who learns that
key could write one. So each of our files begins with a proof, a MAC that only the holder of the identity can compute,
over the file's name: a file under another name, and one that another program wrote, are rejected.
"""

from __future__ import annotations

import hmac
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyrage

from tenantgate.aws.failures import failure_name
from tenantgate_cli.console import Failure

KEY, KEY_FILE, KEY_SECRET = "BACKUP_KEY", "BACKUP_KEY_FILE", "BACKUP_KEY_SECRET_ID"
_MADE_BY = "make one with: tenantgate keys backup > backup.key"


class BackupKeys:
    """The identities, the newest first. No repr and no error shows their text."""

    def __init__(self, identities: Sequence[str]) -> None:
        """Take the texts `AGE-SECRET-KEY-1…`. Raises `ValueError`, which never repeats them."""
        if not identities:
            raise ValueError("there is no key")
        try:
            self.identities = [pyrage.x25519.Identity.from_str(text) for text in identities]
        except pyrage.IdentityError:
            raise ValueError("a key is one line that begins with AGE-SECRET-KEY-1") from None
        self.recipient = self.identities[0].to_public()
        # In their one canonical form.
        self._macs = [str(identity).encode() for identity in self.identities]

    def proof(self, name: str) -> str:
        """Return the proof of a file's name by the newest key."""
        return self._proofs(name)[0]

    def proves(self, name: str, proof: str) -> bool:
        """Tell whether one of the keys made the proof for this name."""
        given = proof.encode(errors="replace")
        return any(hmac.compare_digest(given, known.encode()) for known in self._proofs(name))

    def _proofs(self, name: str) -> list[str]:
        message = b"tenantgate/backup\0" + name.encode()
        return [hmac.digest(key, message, "sha256").hex() for key in self._macs]


def new_key() -> str:
    """Return a new identity."""
    return str(pyrage.x25519.Identity.generate())


def read_keys(file: Path | None, variables: Mapping[str, str]) -> BackupKeys:
    """Read the keys from the file, or else from `BACKUP_KEY`, or else from the secret of that id. Raises Failure."""
    where, text = _text(file, variables)
    lines = [line.strip() for line in text.splitlines()]
    try:
        return BackupKeys([line for line in lines if line and not line.startswith("#")])
    except ValueError as problem:
        raise Failure(f"{where}: {problem}", _MADE_BY) from None


def _text(file: Path | None, variables: Mapping[str, str]) -> tuple[str, str]:
    if file is not None:
        return f"the key in {file}", _of_file(file)
    if variables.get(KEY):
        return f"the key in {KEY}", variables[KEY]
    if variables.get(KEY_SECRET):
        return f"the secret of {KEY_SECRET}", _of_secret(variables[KEY_SECRET], variables.get("AWS_REGION"))
    raise Failure(
        "a backup is encrypted, and no key is given",
        f"{_MADE_BY}   then give --key-file, or set {KEY_FILE}, {KEY} or {KEY_SECRET}",
    )


def _of_file(file: Path) -> str:
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "it isn't text"
        raise Failure(f"the key file {file} can't be read: {reason}", _MADE_BY) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Failure(f"other users of this machine can read or change the key file {file}", f"chmod 600 {file}")
    return text


def _of_secret(name: str, region: str | None) -> str:
    from tenantgate.aws.secrets_manager import secrets_client  # noqa: PLC0415  (boto3)

    try:
        found = secrets_client(region).get_secret_value(SecretId=name)
    except Exception as error:  # noqa: BLE001  (boto3 has many)
        raise Failure(
            f"the secret of {KEY_SECRET} can't be read: {failure_name(error)}",
            "give this machine credentials that may read it, and AWS_REGION",
        ) from None
    if "SecretString" not in found:
        raise Failure(f"the secret of {KEY_SECRET} has no text", _MADE_BY)
    return str(found["SecretString"])
