"""The discovery document, without the endpoints that serve it."""

from tenantgate.openid_provider.endpoints.metadata import provider_metadata
from tenantgate.openid_provider.storage.demo import DEMO_CLAIMS

ISSUER = "https://gate.example.test/idp"


def test_every_url_is_below_the_issuer() -> None:
    metadata = provider_metadata(ISSUER)
    urls = {name: value for name, value in metadata.items() if name.endswith(("_endpoint", "_uri"))}
    assert len(urls) == 6
    assert all(str(url).startswith(f"{ISSUER}/") for url in urls.values())
    assert metadata["issuer"] == ISSUER


def test_every_claim_of_the_demo_user_is_announced() -> None:
    announced = provider_metadata(ISSUER)["claims_supported"]
    assert isinstance(announced, list)
    assert set(announced) >= set(DEMO_CLAIMS)
