"""Anchored checkpoints, also forged ones and objects that the sealer can't have written, in both stores."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate.transparency.anchors.objects import checkpoints_object
from tenantgate.transparency.checkpoints import log_origin, sealed_checkpoint
from tenantgate.transparency.errors import NoteUnsigned
from tenantgate.transparency.notes import public_key, sign
from tenantgate.transparency.verification.anchored import AnchoredCheckpoints
from tenantgate.transparency.verification.keys import LogKeys, tenant_of
from tenantgate.transparency.verification.tasks import read_anchors
from tests.fixtures.transparency.anchors import Store

PRIVATE, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
KEYS = LogKeys([public_key("any", PRIVATE).public_key])


def note(origin: str, private: Ed25519PrivateKey = PRIVATE) -> str:
    return sign(sealed_checkpoint(origin, 1, bytes(32), sealed_at=1).text, origin, private)


@pytest.mark.parametrize("tenant_id", ["org-1", "a/b", "ü %2F", "/audit/", DEPLOYMENT])
def test_a_note_names_its_tenant(tenant_id: str) -> None:
    assert tenant_of(note(log_origin("acme.example", tenant_id))) == tenant_id


@pytest.mark.parametrize(
    "origin",
    [
        pytest.param("x/audit/", id="no name"),
        pytest.param("x/audit/%00", id="NUL"),
        pytest.param("x/audit/org%0A1", id="a control character"),
        pytest.param("x/audit/%FF", id="not UTF-8"),
        pytest.param("x/audit/%6Frg-1", id="another spelling"),
        pytest.param("x/audit/a%2fb", id="small digits"),
        pytest.param("x/audit/ü", id="unquoted"),
        pytest.param("org-1", id="no path"),
        pytest.param("x/other/org-1", id="another path"),
    ],
)
@pytest.mark.parametrize("only", [None, "org-1"])
def test_a_note_that_can_name_no_tenant_is_a_finding_of_none(origin: str, only: str | None) -> None:
    with pytest.raises(NoteUnsigned):
        tenant_of(note(origin))
    for private in (PRIVATE, OTHER):
        anchored = AnchoredCheckpoints(KEYS, only=only)
        anchored.add(note(origin, private), anchor="checkpoints/a")
        assert [finding.wrong for finding in anchored.findings[None]] == ["anchor_forged"]
        assert anchored.tenants == []


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["A b", "2026/.x/a", "a" * 200, "a."])
async def test_an_object_of_another_name_is_reported(store: Store, name: str) -> None:
    origin = log_origin("acme.example", "org-1")
    await store.anchors.put("checkpoints/b", checkpoints_object([note(origin)]))
    store.plant(f"checkpoints/{name}", checkpoints_object([note(origin)]))
    found = await read_anchors(store.anchors, KEYS)
    (finding,) = found.findings[None]
    assert finding == ("anchor_forged", f"'checkpoints/{name}' isn't the name of an object of checkpoints", None, None)
    assert len([*found.of("org-1")]) == 1


@pytest.mark.anyio
async def test_the_traces_of_file_managers_and_consoles_arent_objects(store: Store) -> None:
    await store.anchors.put("checkpoints/b", checkpoints_object([note(log_origin("acme.example", "org-1"))]))
    store.plant_trace()
    found = await read_anchors(store.anchors, KEYS)
    assert (found.findings, len([*found.of("org-1")])) == ({}, 1)
