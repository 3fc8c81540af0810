"""The audit log's own stack: a key that only signs, and a bucket whose objects stay."""

from __future__ import annotations

from tests.fixtures.template.nested import nested

AUDIT = nested("audit")


def test_the_key_signs_checkpoints_and_outlives_the_stack() -> None:
    key = AUDIT.document["Resources"]["SigningKey"]

    assert (key["Properties"]["KeySpec"], key["Properties"]["KeyUsage"]) == ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY")
    assert (key["DeletionPolicy"], key["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_the_bucket_locks_its_objects_and_is_closed_to_the_public() -> None:
    bucket = AUDIT.document["Resources"]["Anchors"]
    properties = bucket["Properties"]

    assert properties["ObjectLockEnabled"] is True
    assert properties["ObjectLockConfiguration"]["Rule"] == {
        "DefaultRetention": {"Mode": "COMPLIANCE", "Days": {"Ref": "AnchorDays"}}
    }
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert all(properties["PublicAccessBlockConfiguration"].values())
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_the_bucket_is_reached_over_tls_only() -> None:
    (statement,) = AUDIT.properties("AnchorsPolicy")["PolicyDocument"]["Statement"]

    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
