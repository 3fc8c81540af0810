"""Signing keys: those of the secret, and one of AWS KMS.

KMS's Ed25519 keys are simulated: moto has none. The stand-in takes and returns what AWS documents for `Sign` and
`GetPublicKey`, with a real key.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tenantgate import time_limits
from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.crypto.sealing import new_sealing_key
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.transparency.checkpoints import open_checkpoint, sealed_checkpoint
from tenantgate.transparency.errors import NoteUnsigned
from tenantgate.transparency.notes import VerifierKey
from tenantgate.transparency.signers import KmsSigner, SigningKeys, local_keys

pytestmark = pytest.mark.anyio
ARN = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
ORIGIN = "acme.example/audit/org-1"
TEXT = sealed_checkpoint(ORIGIN, 1, bytes(32), sealed_at=0).text


class SimulatedKms:
    """KMS with one Ed25519 key. `failure`: raised by every call."""

    def __init__(self, key: Any = None, failure: Exception | None = None) -> None:
        self.key = key or Ed25519PrivateKey.generate()
        self.failure = failure
        self.calls: list[str] = []
        self.seconds = 0.0

    def get_public_key(self, **arguments: Any) -> dict[str, Any]:
        self._called("get_public_key", arguments)
        der = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return {"KeyId": ARN, "KeySpec": "ECC_NIST_EDWARDS25519", "PublicKey": der}

    def sign(self, **arguments: Any) -> dict[str, Any]:
        self._called("sign", arguments)
        assert (arguments["SigningAlgorithm"], arguments["MessageType"]) == ("ED25519_SHA_512", "RAW")
        return {"KeyId": ARN, "Signature": self.key.sign(arguments["Message"])}

    def _called(self, operation: str, arguments: dict[str, Any]) -> None:
        assert arguments["KeyId"] == ARN
        self.calls.append(operation)
        time.sleep(self.seconds)
        if self.failure is not None:
            raise self.failure


def secret(*keys: str, failure: str = "") -> Callable[[], Awaitable[str]]:
    async def get() -> str:
        if not keys:
            raise SecretsUnavailable("AUDIT_SIGNING_KEYS has no value", failure=failure)
        return ",".join(keys)

    return get


async def test_the_newest_key_signs_and_earlier_ones_still_verify() -> None:
    old, new = new_sealing_key(), new_sealing_key()
    earlier = await SigningKeys(secret(old)).sign(TEXT, ORIGIN)
    rotated = SigningKeys(secret(new, old))
    later = await rotated.sign(TEXT, ORIGIN)
    newest, oldest = (VerifierKey(ORIGIN, key) for key in await rotated.public_keys())
    assert open_checkpoint(later, [newest]).size == open_checkpoint(earlier, [oldest]).size == 1
    with pytest.raises(NoteUnsigned):
        open_checkpoint(later, [oldest])


async def test_kms_signs_and_the_keys_before_it_still_verify() -> None:
    kms, local = SimulatedKms(), new_sealing_key()
    keys = SigningKeys(secret(local), [KmsSigner(ARN, lambda: kms)])
    for _ in range(2):
        note = await keys.sign(TEXT, ORIGIN)
        assert open_checkpoint(note, [VerifierKey(ORIGIN, (await keys.public_keys())[0])]).origin == ORIGIN
    # One call for the public key.
    assert kms.calls == ["get_public_key", "sign", "sign"]
    earlier = await SigningKeys(secret(local)).sign(TEXT, ORIGIN)
    assert open_checkpoint(earlier, [VerifierKey(ORIGIN, (await keys.public_keys())[1])]).size == 1


async def test_the_first_key_of_kms_signs_and_earlier_ones_still_verify() -> None:
    old, new, local = SimulatedKms(), SimulatedKms(), new_sealing_key()
    earlier = await SigningKeys(secret(), [KmsSigner(ARN, lambda: old)]).sign(TEXT, ORIGIN)
    rotated = SigningKeys(secret(local), [KmsSigner(ARN, lambda: new), KmsSigner(ARN, lambda: old)])
    later = await rotated.sign(TEXT, ORIGIN)
    newest, oldest, _ = (VerifierKey(ORIGIN, key) for key in await rotated.public_keys())
    assert open_checkpoint(later, [newest]).size == open_checkpoint(earlier, [oldest]).size == 1
    assert old.calls == ["get_public_key", "sign", "get_public_key"]
    with pytest.raises(NoteUnsigned):
        open_checkpoint(later, [oldest])


async def test_no_keys_are_returned_without_those_of_an_earlier_kms_key() -> None:
    """Otherwise the checkpoints that it signed would look forged."""
    disabled = SimulatedKms(failure=ClientError({"Error": {"Code": "DisabledException"}}, "GetPublicKey"))
    keys = SigningKeys(secret(new_sealing_key()), [KmsSigner(ARN, SimulatedKms), KmsSigner(ARN, lambda: disabled)])
    with pytest.raises(KeyServiceUnavailable):
        await keys.public_keys()


async def test_kms_needs_no_secret_unless_the_secrets_cant_be_read() -> None:
    signer = KmsSigner(ARN, SimulatedKms)
    assert len(await SigningKeys(secret(), [signer]).public_keys()) == 1
    with pytest.raises(SecretsUnavailable):
        await SigningKeys(secret(failure="AccessDenied"), [signer]).public_keys()


@pytest.mark.parametrize(
    "failure",
    [
        ClientError({"Error": {"Code": "AccessDeniedException"}}, "Sign"),
        ConnectionError("no route"),
    ],
)
async def test_a_failure_of_kms_is_reported(failure: Exception) -> None:
    signer = KmsSigner(ARN, lambda: SimulatedKms(failure=failure))
    with pytest.raises(KeyServiceUnavailable):
        await SigningKeys(secret(), [signer]).sign(TEXT, ORIGIN)


async def test_a_silent_kms_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limits, "KMS_TOTAL", 0.02)
    kms = SimulatedKms()
    kms.seconds = 0.1
    with pytest.raises(KeyServiceUnavailable):
        await KmsSigner(ARN, lambda: kms).public_key()


async def test_a_key_of_another_kind_is_refused() -> None:
    kms = SimulatedKms(ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(KeyServiceUnavailable, match="ECC_NIST_EDWARDS25519"):
        await KmsSigner(ARN, lambda: kms).public_key()


async def test_a_signature_that_doesnt_verify_is_never_returned() -> None:
    kms = SimulatedKms()
    signer = KmsSigner(ARN, lambda: kms)
    await signer.public_key()
    kms.key = Ed25519PrivateKey.generate()
    with pytest.raises(NoteUnsigned):
        await SigningKeys(secret(), [signer]).sign(TEXT, ORIGIN)


@pytest.mark.parametrize("text", ["", " , ", "short", "A" * 43, "Y5pEbVfWkQn8cJ2mT0sRzLxGhDaUiOw3eN7vKqB4yH0,x"])
def test_no_guessable_or_malformed_key_is_taken(text: str) -> None:
    with pytest.raises(SecretsUnavailable) as raised:
        local_keys(text)
    assert "AUDIT_SIGNING_KEYS" in str(raised.value)
