"""Settings of the transparency log: half-configured combinations stop the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenantgate.settings.errors import SettingsError
from tenantgate.settings.model import Settings

KEY = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
PRODUCTION = {
    "ALLOWED_ORIGINS": "https://app.example.com",
    "PUBLIC_BASE_URL": "https://auth.example.com",
    "OIDC_ISSUER_URL": "https://login.example.com",
    "OIDC_CLIENT_ID": "web",
}


def problems(**changed: str) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        Settings.from_mapping(PRODUCTION | changed)
    return caught.value.problems


def test_a_deployment_needs_none_of_them() -> None:
    settings = Settings.from_mapping(PRODUCTION)
    assert (settings.audit_anchor_folder, settings.audit_anchor_bucket) == (None, None)
    assert (settings.audit_signing_kms_key, settings.audit_retention_days) == ((), None)


@pytest.mark.parametrize(
    "given",
    [
        {"AUDIT_ANCHOR_BUCKET": "acme-audit-anchors", "AUDIT_SIGNING_KMS_KEY": KEY},
        {"AUDIT_ANCHOR_FOLDER": "/srv/anchors", "AUDIT_SIGNING_KMS_KEY": KEY},
        {"AUDIT_ANCHOR_BUCKET": "acme-audit-anchors", "AUDIT_SIGNING_KMS_KEY": f"{KEY[:-1]}6,{KEY}"},
        {"AUDIT_ANCHOR_BUCKET": "acme-audit-anchors", "AUDIT_ANCHOR_DAYS": "3650", "AUDIT_RETENTION_DAYS": "400"},
    ],
)
def test_whole_combinations_are_accepted(given: dict[str, str]) -> None:
    settings = Settings.from_mapping(PRODUCTION | given)
    assert str(settings.audit_anchor_folder or settings.audit_anchor_bucket) in given.values()
    assert ",".join(settings.audit_signing_kms_key) == given.get("AUDIT_SIGNING_KMS_KEY", "")


@pytest.mark.parametrize(
    ("given", "variable", "remedy"),
    [
        ({"AUDIT_ANCHOR_FOLDER": "anchors"}, "AUDIT_ANCHOR_FOLDER", "absolute path"),
        ({"AUDIT_ANCHOR_FOLDER": "/a", "AUDIT_ANCHOR_BUCKET": "acme"}, "AUDIT_ANCHOR_BUCKET", "AUDIT_ANCHOR_FOLDER"),
        ({"AUDIT_ANCHOR_BUCKET": "s3://acme"}, "AUDIT_ANCHOR_BUCKET", "only the bucket's name"),
        ({"AUDIT_ANCHOR_BUCKET": "a..b"}, "AUDIT_ANCHOR_BUCKET", "only the bucket's name"),
        ({"AUDIT_SIGNING_KMS_KEY": KEY}, "AUDIT_SIGNING_KMS_KEY", "set AUDIT_ANCHOR_BUCKET as well"),
        ({"AUDIT_SIGNING_KMS_KEY": "alias/audit"}, "AUDIT_SIGNING_KMS_KEY", "ARNs of keys"),
        ({"AUDIT_SIGNING_KMS_KEY": f"{KEY},alias/audit"}, "AUDIT_SIGNING_KMS_KEY", "ARNs of keys"),
        ({"AUDIT_SIGNING_KMS_KEY": f"{KEY},{KEY[:-1]}6"}, "AUDIT_SIGNING_KMS_KEY", "set AUDIT_ANCHOR_BUCKET as well"),
        ({"AUDIT_ANCHOR_DAYS": "0"}, "AUDIT_ANCHOR_DAYS", "1"),
        ({"AUDIT_RETENTION_DAYS": "0"}, "AUDIT_RETENTION_DAYS", "1"),
    ],
)
def test_a_bad_or_half_set_value_names_the_fix(given: dict[str, str], variable: str, remedy: str) -> None:
    found = problems(**given)
    assert set(found) == {variable}
    assert remedy in found[variable]


def test_development_may_sign_without_an_anchor() -> None:
    settings = Settings.from_mapping({"ENVIRONMENT": "development", "AUDIT_SIGNING_KMS_KEY": KEY})
    assert settings.audit_signing_kms_key == (KEY,)
    assert Settings.from_mapping(
        {"ENVIRONMENT": "development", "AUDIT_ANCHOR_FOLDER": "/anchors"}
    ).audit_anchor_folder == (Path("/anchors"))
