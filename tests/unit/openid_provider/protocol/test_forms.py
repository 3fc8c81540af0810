"""The sealed values of forms."""

import pytest

from tenantgate.crypto.sealing import Sealer
from tenantgate.openid_provider.errors import SignInFormRefused
from tenantgate.openid_provider.protocol.forms import FormTokens
from tests.fixtures.providers.built_in import Clock, sealing_key

VALUES = {"state": "x", "redirect_uri": "https://app.example.test/ü"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def forms(clock: Clock) -> FormTokens:
    return FormTokens(Sealer([sealing_key()]), clock=clock)


def test_returns_what_it_sealed_for_ten_minutes(forms: FormTokens, clock: Clock) -> None:
    token = forms.seal("sign-in", VALUES)
    clock.now += 599
    assert forms.open("sign-in", token) == VALUES
    clock.now += 1
    with pytest.raises(SignInFormRefused):
        forms.open("sign-in", token)


def test_a_token_opens_only_as_its_own_kind(forms: FormTokens) -> None:
    with pytest.raises(SignInFormRefused):
        forms.open("sign-out", forms.seal("sign-in", VALUES))


@pytest.mark.parametrize("token", ["", "malformed", "A" * 100, "ü", "A" * (48 * 1024 + 1)])
def test_refuses_a_token_that_it_did_not_seal(forms: FormTokens, token: str) -> None:
    with pytest.raises(SignInFormRefused):
        forms.open("sign-in", token)


def test_refuses_a_token_longer_than_any_it_seals_before_opening_it(clock: Clock) -> None:
    sealer = Sealer([sealing_key()])
    large = FormTokens(sealer, clock=clock).seal("sign-in", {"state": "x" * 48 * 1024})
    with pytest.raises(SignInFormRefused):
        FormTokens(sealer, clock=clock).open("sign-in", large)
