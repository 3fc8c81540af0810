"""The policies of masking, with ordinary and hostile values."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantgate.masking import MASK, POLICIES, DataClass, mask
from tenantgate.observability.redaction import redact, redact_context

CLASSES: tuple[DataClass, ...] = tuple(POLICIES)
HOSTILE = ("\0", "a\0b@example.com", "x" * 10_000, "a@" + "b." * 500, "a@b\r\nX: 1", "ü@a.com", "\u202e", "\ud800")


@pytest.mark.parametrize(
    ("data_class", "text", "masked"),
    [
        ("email", "jane.roe@example.com", "***@example.com"),
        ("email", '"jane@home"@example.com', "***@example.com"),
        ("email", "jane@mail.example-1.org", "***@mail.example-1.org"),
        ("email", "jane@localhost", MASK),
        ("email", "jane@[192.0.2.7]", MASK),
        ("email", "jane@example.com, joe@", MASK),
        ("email", "jane@example..com", MASK),
        ("email", "Jane Roe <jane@example.com>", MASK),
        ("email", "jane@exämple.com", MASK),
        ("email", "jane@" + "a." * 130 + "com", MASK),
        ("email", "jane.roe", MASK),
        ("email", "", MASK),
        ("phone", "+44 20 7946 0942", "***42"),
        ("phone", "112", MASK),
        ("phone", "***4", MASK),
        ("phone", "\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667", MASK),
        ("address", "203.0.113.9", "203.0.113.0/24"),
        ("address", "2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("address", "::ffff:203.0.113.9", "203.0.113.0/24"),
        ("address", "::ffff:203.0.113.9/128", "203.0.113.0/24"),
        ("address", "::5", "::/48"),
        ("address", "2002:cb00:7109::1", "2002:cb00:7100::/40"),
        ("address", "203.0.113.0/24", "203.0.113.0/24"),
        ("address", "203.0.113.9/32", "203.0.113.0/24"),
        ("address", "203.0.113.8/29", "203.0.113.0/24"),
        ("address", "10.0.0.0/8", "10.0.0.0/8"),
        ("address", "127.0.0.1", "127.0.0.1"),
        ("address", "::1", "::1"),
        ("address", "fe80::1%eth0", MASK),
        ("address", "203.0.113.9:443", MASK),
        ("address", "203.000.113.009", MASK),
        ("address", "203.0.113.9/24", MASK),
        ("address", "203.0.113.9\n", MASK),
        ("address", "1 Main Street", MASK),
        ("name", "Jane", MASK),
        ("token", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln", MASK),
        ("health", "1990-01-31", MASK),
        ("device", "Firefox on Linux", MASK),
        ("identifier", "auth0|0123456789ab3f2a", "***3f2a"),
        ("identifier", "0b2f7c1e-0000-4000-8000-00000000beef", "***beef"),
        ("identifier", "jane", MASK),
        ("identifier", "jane@example.com", "***@example.com"),
        ("identifier", "https://issuer.example/users/a/b/", MASK),
        ("identifier", "***12345", MASK),
    ],
)
def test_keeps_only_what_the_policy_says(data_class: DataClass, text: str, masked: str) -> None:
    assert mask(data_class, text) == masked


@pytest.mark.parametrize("data_class", CLASSES)
@pytest.mark.parametrize("text", HOSTILE)
def test_a_value_of_no_known_form_is_hidden(data_class: DataClass, text: str) -> None:
    assert mask(data_class, text) == MASK


@given(data_class=st.sampled_from(CLASSES), text=st.one_of(st.text(), st.emails(), st.ip_addresses().map(str)))
def test_masks_in_printable_ascii_and_only_once(data_class: DataClass, text: str) -> None:
    masked = mask(data_class, text)
    assert masked.isascii()
    assert masked.isprintable()
    assert mask(data_class, masked) == masked


@given(text=st.ip_addresses())
def test_no_address_survives(text: object) -> None:
    masked = mask("address", str(text))
    assert "/" in masked or masked == str(text)


def test_every_class_has_a_policy() -> None:
    assert set(CLASSES) == {"email", "phone", "address", "name", "token", "health", "device", "identifier"}
    names = [name for policy in POLICIES.values() for name in policy.names]
    assert len(names) == len(set(names))
    assert all(name == name.lower().replace("-", "_") for name in names)
    # A name decides only in logs; members of exports have declared classes.
    assert not any(policy.names for policy in POLICIES.values() if policy.logged)


@pytest.mark.parametrize("name", sorted(name for policy in POLICIES.values() for name in policy.names))
def test_logs_hide_the_members_that_a_policy_names(name: str) -> None:
    planted = "planted value"
    nested = {"outer": [{name: planted}, {name.upper().replace("_", "-"): {"deeper": planted}}, (name, planted)]}
    assert planted not in json.dumps([redact(nested), redact_context({name: planted, "x": nested})])
