"""Masking: what remains of personal data and secrets in logs, exports and support views. One policy per class of data.

Standard library only, because the authorizer logs too. docs/AUDIT.md is written from this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Address, IPv6Address
    from typing import Literal

# No pattern of secrets matches these characters, so masking twice changes nothing.
MASK = "***"

type DataClass = Literal["email", "phone", "address", "name", "token", "health", "device", "identifier"]


class Policy:
    """The policy of one class of data.

    `masked`: what `mask` keeps. `logged`: whether log lines have such values; if not, `MASK` replaces them. `names`: of
    members, headers and parameters with such values, in lower case with `_`.
    """

    __slots__ = ("logged", "masked", "meaning", "names")

    def __init__(self, meaning: str, masked: str, *, logged: bool = False, names: frozenset[str] = frozenset()) -> None:
        self.meaning = meaning
        self.masked = masked
        self.logged = logged
        self.names = names


POLICIES: Mapping[DataClass, Policy] = {
    "email": Policy(
        "E-mail addresses.",
        "The domain: `***@example.com`.",
        names=frozenset({"email", "login_hint"}),
    ),
    "phone": Policy("Telephone numbers.", "The last two digits: `***42`.", names=frozenset({"phone"})),
    "address": Policy(
        "Network addresses, and places where people live.",
        "The network of an address: `203.0.113.0/24`, `2001:db8:1::/48`. The address of the machine itself is kept. "
        "Nothing of a place.",
        names=frozenset({"address", "postcode", "zip"}),
    ),
    "name": Policy(
        "Names of persons.",
        "Nothing.",
        names=frozenset({"first_name", "last_name", "patient_name", "username"}),
    ),
    "token": Policy(
        "Tokens, cookies, codes, keys and passwords.",
        "Nothing.",
        names=frozenset(
            {
                "api_key",
                "apikey",
                "assertion",
                "authorization",
                "claims",
                "code",
                "code_verifier",
                "cookie",
                "cookies",
                "credential",
                "credentials",
                "id_token_hint",
                "nonce",
                "passphrase",
                "passwd",
                "password",
                "private_key",
                "pwd",
                "sec_websocket_protocol",
                "sid",
                "sig",
                "signature",
                "state",
                "token",
                "tokens",
                "x_api_key",
            }
        ),
    ),
    "health": Policy(
        "Birth, health and insurance.",
        "Nothing.",
        names=frozenset(
            {
                "birthdate",
                "birthday",
                "diagnosis",
                "dob",
                "insurance",
                "medical_record",
                "mrn",
                "patient",
                "patient_id",
                "ssn",
            }
        ),
    ),
    "device": Policy("The browser and system of a person.", "Nothing.", logged=True),
    "identifier": Policy(
        "Ids of users, which mean nothing outside of their issuer.",
        "The last four characters of at least twelve: `***3f2a`. An id that is an e-mail address is masked as one.",
        logged=True,
    ),
}

# No address, id or number that is masked in part is longer.
_LONGEST = 320
_LONGEST_DOMAIN = 253
_KEPT_DIGITS, _FEWEST_DIGITS = 2, 7
_KEPT_CHARACTERS, _FEWEST_CHARACTERS = 4, 12
# The bits of an address that are kept: the network of a provider's region or a customer's site, not one person's line.
_KEPT_BITS = {4: 24, 6: 48}
# 6to4 (RFC 3056) has a whole IPv4 address after its first 16 bits.
_KEPT_BITS_6TO4 = 16 + 24


def mask(data_class: DataClass, text: str) -> str:
    """Return what the policy of its class keeps of a text; `MASK` if it isn't of the class's form.

    The result has only printable ASCII characters. Masking it again changes nothing.
    """
    if len(text) > _LONGEST or not (text.isascii() and text.isprintable()):
        return MASK
    match data_class:
        case "email":
            return _email(text)
        case "phone":
            return _phone(text)
        case "address":
            return _address(text)
        case "identifier":
            return _email(text) if "@" in text else _identifier(text)
        case _:
            return MASK


def network_of(address: IPv4Address | IPv6Address) -> str:
    """Return the network of an address: `203.0.113.0/24`, `2001:db8:1::/48`; the machine's own address whole."""
    from ipaddress import IPv6Address, ip_network  # noqa: PLC0415  (the authorizer needs only the names)

    if isinstance(address, IPv6Address):
        # IPv4 inside IPv6 is IPv4: 48 bits of it would be `::/48`, and of 6to4 the whole IPv4 address.
        address = address.ipv4_mapped or address
    if address.is_loopback:
        return str(address)
    bits = _KEPT_BITS[address.version]
    if isinstance(address, IPv6Address) and address.sixtofour is not None:
        bits = _KEPT_BITS_6TO4
    return str(ip_network(f"{address}/{bits}", strict=False))


def _email(text: str) -> str:
    _, at, domain = text.rpartition("@")
    parts = domain.split(".")
    is_domain = len(parts) > 1 and all(part.replace("-", "").isalnum() for part in parts)
    return f"{MASK}@{domain}" if at and is_domain and len(domain) <= _LONGEST_DOMAIN else MASK


def _phone(text: str) -> str:
    digits = "".join(character for character in text if character.isdigit())
    if text.startswith(MASK) and text.removeprefix(MASK) == digits and len(digits) == _KEPT_DIGITS:
        return text
    return MASK + digits[-_KEPT_DIGITS:] if len(digits) >= _FEWEST_DIGITS else MASK


def _identifier(text: str) -> str:
    kept = text[-_KEPT_CHARACTERS:]
    is_masked = text.startswith(MASK) and len(text) == len(MASK) + _KEPT_CHARACTERS
    return MASK + kept if kept.isalnum() and (is_masked or len(text) >= _FEWEST_CHARACTERS) else MASK


def _address(text: str) -> str:
    from ipaddress import ip_address, ip_network  # noqa: PLC0415  (as above)

    # A zone (`%eth0`) is only known to the machine that wrote it.
    if "%" in text:
        return MASK
    try:
        if "/" not in text:
            return network_of(ip_address(text))
        network = ip_network(text)
    except ValueError:
        return MASK
    masked = network_of(network.network_address)
    # A network that is masked already, or is larger.
    is_larger = network.version == ip_network(masked).version and network.prefixlen <= ip_network(masked).prefixlen
    return text if is_larger else masked
