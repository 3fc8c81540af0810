"""The forms of the provider's pages: each carries one sealed value, so that what comes back is what was shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from tenantgate.crypto.sealing import SealBroken, Sealer
from tenantgate.openid_provider.errors import SignInFormRefused
from tenantgate.openid_provider.models import FORM_LIFETIME_SECONDS

_MAX_CHARACTERS = 48 * 1024


class FormTokens:
    """Seals what a form is about for ten minutes. `kind` keeps one form's token from being sent as another's."""

    def __init__(self, sealer: Sealer, *, clock: Callable[[], float]) -> None:
        self._sealer = sealer
        self._clock = clock

    def seal(self, kind: str, about: Mapping[str, str]) -> str:
        content = {"until": int(self._clock()) + FORM_LIFETIME_SECONDS, "about": dict(about)}
        return self._sealer.seal(json.dumps(content).encode(), purpose=f"provider-form-{kind}")

    def open(self, kind: str, token: str) -> dict[str, str]:
        if len(token) > _MAX_CHARACTERS:
            raise SignInFormRefused(form=kind, problem="too long")
        try:
            content = json.loads(self._sealer.open(token, purpose=f"provider-form-{kind}"))
        except SealBroken:
            raise SignInFormRefused(form=kind, problem="not sealed by us") from None
        if content["until"] <= self._clock():
            raise SignInFormRefused(form=kind, problem="expired")
        about: dict[str, str] = content["about"]
        return about
