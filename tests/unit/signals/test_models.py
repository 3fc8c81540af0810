"""The subjects that an event may name."""

from __future__ import annotations

import pytest

from tenantgate.signals.errors import ForeignSubject, SecurityEventRefused, UnsupportedSubject
from tenantgate.signals.models import Subject, read_subject

ISSUER = "https://issuer.example"
USER = {"format": "iss_sub", "iss": ISSUER, "sub": "user-1"}
SESSION = {"format": "opaque", "id": "sid-1"}
TOKEN = {"format": "jwt_id", "iss": ISSUER, "jti": "jti-1"}
TENANT = {"format": "opaque", "id": "org-1"}


def _complex(**members: object) -> dict[str, object]:
    return {"format": "complex", **members}


@pytest.mark.parametrize(
    ("value", "subject"),
    [
        pytest.param(USER, Subject(user="user-1"), id="iss_sub"),
        pytest.param(SESSION, Subject(sid="sid-1"), id="opaque"),
        pytest.param(TOKEN, Subject(token_id="jti-1"), id="jwt_id"),
        pytest.param(_complex(user=USER), Subject(user="user-1"), id="user"),
        pytest.param(_complex(session=SESSION), Subject(sid="sid-1"), id="session"),
        pytest.param(_complex(session=TOKEN), Subject(token_id="jti-1"), id="session-by-its-token"),
        pytest.param(_complex(tenant=TENANT), Subject(tenant_id="org-1"), id="tenant"),
        pytest.param(
            _complex(user=USER, session=SESSION, tenant=TENANT),
            Subject("user-1", "sid-1", None, "org-1"),
            id="user-session-and-tenant",
        ),
    ],
)
def test_reads(value: object, subject: Subject) -> None:
    assert read_subject(value, issuer=ISSUER) == subject


@pytest.mark.parametrize(
    "value",
    [
        *(None, [], "user-1", {}, {"format": None}, {"format": ["iss_sub"]}, {"format": "iss-sub"}),
        pytest.param({"iss": ISSUER, "sub": "user-1"}, id="no-format"),
        pytest.param({"subject_type": "iss-sub", "iss": ISSUER, "sub": "user-1"}, id="format-of-an-early-draft"),
        pytest.param({"format": "email", "email": "user@example.com"}, id="email"),
        pytest.param({"format": "phone_number", "phone_number": "+12065550100"}, id="phone"),
        pytest.param({"format": "account", "uri": "acct:user@example.com"}, id="account"),
        pytest.param({"format": "did", "url": "did:example:123"}, id="did"),
        pytest.param({"format": "saml_assertion_id", "issuer": ISSUER, "assertion_id": "a"}, id="saml"),
        pytest.param({"format": "aliases", "identifiers": [USER]}, id="aliases"),
        pytest.param({"format": "iss_sub", "sub": "user-1"}, id="no-iss"),
        pytest.param({"format": "iss_sub", "iss": ISSUER}, id="no-sub"),
        pytest.param({**USER, "sub": ""}, id="empty-sub"),
        pytest.param({**USER, "sub": "x" * 257}, id="long-sub"),
        pytest.param({**USER, "sub": "a\0b"}, id="sub-with-a-control-character"),
        pytest.param({**USER, "sub": ["user-1"]}, id="sub-is-a-list"),
        pytest.param({**USER, "sub": "*", "all": True}, id="another-member"),
        pytest.param({"format": "opaque", "id": 7}, id="id-is-a-number"),
        pytest.param(_complex(), id="complex-without-a-member"),
        pytest.param(_complex(user=USER, device=SESSION), id="device"),
        pytest.param(_complex(user=USER, application=SESSION), id="application"),
        pytest.param(_complex(user=USER, group=SESSION), id="group"),
        pytest.param(_complex(user=USER, org_unit=SESSION), id="org-unit"),
        pytest.param(_complex(user=SESSION), id="user-by-an-opaque-id"),
        pytest.param(_complex(user=None), id="user-null"),
        pytest.param(_complex(session=USER), id="session-by-a-user"),
        pytest.param(_complex(tenant=USER), id="tenant-by-a-user"),
        pytest.param(_complex(user=_complex(user=USER)), id="nested"),
        pytest.param(_complex(user={"format": "email", "email": "user@example.com"}), id="user-by-email"),
    ],
)
def test_refuses_every_other_format(value: object) -> None:
    with pytest.raises(UnsupportedSubject) as refused:
        read_subject(value, issuer=ISSUER)
    assert refused.value.err == "invalid_request"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({**USER, "iss": "https://other.example"}, id="user"),
        pytest.param({**USER, "iss": ISSUER + "/"}, id="almost-the-issuer"),
        pytest.param({**USER, "iss": None}, id="null"),
        pytest.param({**TOKEN, "iss": "https://other.example"}, id="token"),
        pytest.param(_complex(tenant=TENANT, user={**USER, "iss": "https://other.example"}), id="in-a-complex-one"),
    ],
)
def test_denies_another_issuers_subject(value: object) -> None:
    with pytest.raises(ForeignSubject) as refused:
        read_subject(value, issuer=ISSUER)
    assert refused.value.err == "access_denied"


def test_no_error_repeats_the_identifier() -> None:
    for value in ({**USER, "iss": "canary"}, {**USER, "sub": "canary\0"}, {"format": "canary"}, _complex(canary=USER)):
        with pytest.raises(SecurityEventRefused) as refused:
            read_subject(value, issuer=ISSUER)
        assert "canary" not in f"{refused.value} {refused.value.private} {refused.value.description}"
