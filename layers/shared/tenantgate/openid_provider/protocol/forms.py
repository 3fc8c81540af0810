"""The forms of the provider's pages. Each carries one sealed value, so a user can't change it in between."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from tenantgate.crypto.sealing import SealBroken, Sealer
from tenantgate.openid_provider.errors import SignInFormRefused
from tenantgate.openid_provider.models import FORM_LIFETIME_SECONDS

_MAX_CHARACTERS = 48 * 1024


class FormTokens:
    """Seals the values that a form carries, for ten minutes. `kind` separates the tokens of different forms."""

    def __init__(self, sealer: Sealer, *, clock: Callable[[], float]) -> None:
        self._sealer = sealer
        self._clock = clock

    def seal(self, kind: str, values: Mapping[str, str]) -> str:
        """Return the token of a new form."""
        content = {"until": int(self._clock()) + FORM_LIFETIME_SECONDS, "about": dict(values)}
        return self._sealer.seal(json.dumps(content).encode(), purpose=f"provider-form-{kind}")

    def open(self, kind: str, token: str) -> dict[str, str]:
        """Return the sealed values. Raises `SignInFormRefused` for a token that has expired or was changed."""
        if len(token) > _MAX_CHARACTERS:
            raise SignInFormRefused(form=kind, problem="too long")
        try:
            content = json.loads(self._sealer.open(token, purpose=f"provider-form-{kind}"))
        except SealBroken:
            raise SignInFormRefused(form=kind, problem="seal broken") from None
        if content["until"] <= self._clock():
            raise SignInFormRefused(form=kind, problem="expired")
        values: dict[str, str] = content["about"]
        return values
