from __future__ import annotations

import socket
from collections.abc import Mapping

import pytest

from tenantgate.errors.tokens import ProviderUnreachable
from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate_cli.checks import egress
from tenantgate_cli.checks.egress import Egress, Unreachable, check_egress

LOGIN = "https://login.example.com"
MACHINES = "https://machines.example.org/"
METADATA: dict[str, Mapping[str, object]] = {
    f"{LOGIN}/.well-known/openid-configuration": {
        "jwks_uri": "https://keys.example.com/jwks",
        "token_endpoint": "https://token.example.com/token",
        "revocation_endpoint": f"{LOGIN}/revoke",
        "authorization_endpoint": "https://only-for-browsers.example.com/authorize",
    },
    f"{MACHINES}.well-known/openid-configuration": {
        "jwks_uri": f"{MACHINES}jwks",
        "token_endpoint": "https://only-for-clients.example.org/token",
    },
}


def issuer(name: str = LOGIN, **members: object) -> IssuerPolicy:
    return IssuerPolicy(name, ("api",), **members)  # type: ignore[arg-type]


def read(url: str) -> Mapping[str, object]:
    try:
        return METADATA[url]
    except KeyError:
        raise ProviderUnreachable(url) from None


def found(
    way: Egress, *issuers: IssuerPolicy, ipv4_only: tuple[str, ...] = (), proxy: str = ""
) -> list[tuple[str, str]]:
    """Return the status and the first host or word of each problem."""
    problems = check_egress(
        way,
        issuers,
        sign_in_issuer=LOGIN,
        proxy=proxy,
        has_ipv6=lambda host: None if host.startswith("unknown") else host not in ipv4_only,
        read_metadata=read,
    )
    assert all(each.remedy for each in problems)
    return [(each.status, each.problem) for each in problems]


def test_nat_leads_everywhere() -> None:
    assert found("nat", issuer(), issuer(MACHINES), ipv4_only=("login.example.com",)) == []


def test_only_port_443_is_open() -> None:
    [(status, problem)] = found("nat", issuer(jwks_uri="https://login.example.com:8443/jwks"))

    assert status == "failed"
    assert "login.example.com has port 8443" in problem


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("login.example.com", id="discovery"),
        pytest.param("keys.example.com", id="keys"),
        pytest.param("token.example.com", id="token-endpoint"),
        pytest.param("machines.example.org", id="another-issuer"),
    ],
)
def test_ipv6_needs_it_at_every_host_that_functions_call(host: str) -> None:
    [(status, problem)] = found("ipv6", issuer(), issuer(MACHINES), ipv4_only=(host,))

    assert status == "failed"
    assert problem.startswith(f"{host} has no IPv6 address")


def test_ipv6_isnt_needed_at_hosts_that_only_browsers_and_clients_call() -> None:
    elsewhere = ("only-for-browsers.example.com", "only-for-clients.example.org")

    assert found("ipv6", issuer(), issuer(MACHINES), ipv4_only=elsewhere) == []


def test_a_configured_key_set_and_poll_have_their_own_hosts() -> None:
    polled = issuer(MACHINES, jwks_uri="https://a.example.org/k", event_poll_url="https://b.example.org/poll")

    problems = found("ipv6", polled, ipv4_only=("a.example.org", "b.example.org"))

    assert [problem.split()[0] for _, problem in problems] == ["a.example.org", "b.example.org"]


def test_what_isnt_known_here_is_a_warning() -> None:
    problems = found("ipv6", issuer("https://unknown.example.net"))

    assert [status for status, _ in problems] == ["warning", "warning"]
    assert "no address in this machine's DNS" in problems[0][1]
    assert "endpoints are not known here" in problems[1][1]


def test_none_needs_bundled_keys() -> None:
    [(status, problem)] = found("none", issuer(MACHINES))

    assert (status, "keys can't be fetched" in problem) == ("failed", True)


def test_none_keeps_a_bundle_only_for_its_age_unless_it_is_the_only_source() -> None:
    [(status, problem)] = found("none", issuer(MACHINES, jwks_file="/opt/jwks.json"))

    assert (status, "JWKS_MAX_AGE_SECONDS" in problem) == ("warning", True)
    assert found("none", issuer("machines", jwks_file="/opt/jwks.json", discovery_url="")) == []


def test_none_has_no_sign_in() -> None:
    [(status, problem)] = found("none", issuer(jwks_file="/opt/jwks.json", discovery_url=""))

    assert (status, "no sign-in" in problem) == ("warning", True)


def test_none_fetches_no_security_events() -> None:
    polled = issuer("machines", jwks_file="/f", discovery_url="", event_poll_url="https://b.example.org/poll")

    [(status, problem)] = found("none", polled)

    assert (status, "security events" in problem) == ("failed", True)


def test_with_a_proxy_only_the_proxy_counts() -> None:
    hosts = ("login.example.com",)

    assert found("ipv6", issuer(), ipv4_only=hosts, proxy="https://proxy.example.com") == []
    [(status, problem)] = found("nat", issuer(), proxy="http://proxy.example.com:3128")
    assert (status, "port 3128" in problem) == ("failed", True)


@pytest.mark.parametrize(
    ("families", "expected"),
    [
        pytest.param([socket.AF_INET], False, id="ipv4"),
        pytest.param([socket.AF_INET, socket.AF_INET6], True, id="both"),
        pytest.param(None, None, id="unknown"),
    ],
)
def test_the_look_up(
    monkeypatch: pytest.MonkeyPatch, families: list[socket.AddressFamily] | None, expected: bool | None
) -> None:
    def getaddrinfo(*_: object, **__: object) -> list[tuple[socket.AddressFamily, int]]:
        if families is None:
            raise socket.gaierror
        return [(family, 0) for family in families]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    assert egress.has_ipv6("host.example.com") is expected


def test_the_defaults_read_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "fetch_json", lambda url, timeout: {**METADATA[url], "timeout": timeout})
    url = f"{LOGIN}/.well-known/openid-configuration"

    assert egress.read_metadata(url)["timeout"] == 8.0
    assert Unreachable("failed", "a", "b", "c").issuer == "a"
