"""The problem with a provider that can't be reached, in words."""

import pytest

from tenantgate_cli.stack.provider_check import discovery_problem


@pytest.mark.parametrize(
    ("issuer", "words"),
    [
        pytest.param(
            "https://no-such-host.invalid/tenant",
            "the host of OIDC_ISSUER_URL, no-such-host.invalid, can't be resolved: check its spelling, and that this "
            "machine is connected to the network",
            id="resolver",
        ),
        pytest.param(
            "http://127.0.0.1:9",
            "http://127.0.0.1:9/.well-known/openid-configuration: [Errno 111] Connection refused",
            id="refused",
        ),
    ],
)
def test_a_provider_out_of_reach_is_described(issuer: str, words: str) -> None:
    assert discovery_problem(issuer) == words
