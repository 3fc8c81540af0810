import pytest

from tenantgate.web.openapi import NEEDS_TOKEN, NEEDS_TOKEN_OR_SESSION, security_schemes
from tests.fixtures.web.setup import make_settings


def test_a_route_names_only_schemes_that_exist() -> None:
    schemes = security_schemes(make_settings())

    assert {name for needed in NEEDS_TOKEN_OR_SESSION["security"] for name in needed} == schemes.keys()
    assert {name for needed in NEEDS_TOKEN["security"] for name in needed} == schemes.keys() - {"session"}


def test_the_session_scheme_names_the_cookie() -> None:
    scheme = security_schemes(make_settings())["session"]

    assert (scheme["in"], scheme["name"]) == ("cookie", "__Host-tg_session")


@pytest.mark.parametrize("issuer", ["https://login.example.com", "https://login.example.com/"])
def test_the_discovery_url_has_one_slash_after_the_issuer(issuer: str) -> None:
    scheme = security_schemes(make_settings(OIDC_ISSUER_URL=issuer))["openIdConnect"]

    assert scheme["openIdConnectUrl"] == "https://login.example.com/.well-known/openid-configuration"
