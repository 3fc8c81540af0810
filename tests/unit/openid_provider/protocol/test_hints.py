"""ID tokens sent back as hints."""

import pytest

from tenantgate.openid_provider.protocol.hints import IdTokenHints
from tenantgate.openid_provider.protocol.keys import KeyRing, TokenRefused
from tests.fixtures.providers.built_in import ISSUER, ProviderInMemory

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ring() -> KeyRing:
    return await ProviderInMemory().signing_keys.ring()


async def test_an_expired_id_token_is_still_a_hint(ring: KeyRing) -> None:
    token = ring.sign({"iss": ISSUER, "sub": "user", "exp": 1}, algorithm="RS256", typ="JWT")
    hints = IdTokenHints(ring, ISSUER)
    assert hints.claims(token)["sub"] == "user"
    assert hints.subject_of(token) == "user"


@pytest.mark.parametrize(
    ("claims", "typ"),
    [
        pytest.param({"iss": "https://other.test", "sub": "user"}, "JWT", id="another-issuer"),
        pytest.param({"sub": "user"}, "JWT", id="no-issuer"),
        pytest.param({"iss": ISSUER, "sub": "user"}, "at+jwt", id="access-token"),
    ],
)
async def test_refuses_a_token_that_is_not_an_id_token_of_this_provider(
    ring: KeyRing, claims: dict[str, object], typ: str
) -> None:
    token = ring.sign(claims, algorithm="RS256", typ=typ)
    hints = IdTokenHints(ring, ISSUER)
    with pytest.raises(TokenRefused):
        hints.claims(token)
    assert hints.subject_of(token) is None
