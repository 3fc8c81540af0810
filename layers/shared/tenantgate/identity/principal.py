"""The verified caller, and its form in the authorizer's context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tenantgate.errors.access import AuthenticationRequired
from tenantgate.tokens.records import Record

if TYPE_CHECKING:
    from typing import Literal

type AuthMethod = Literal["bearer", "session", "api_key"]

_AUTH_METHODS: dict[object, AuthMethod] = {"bearer": "bearer", "session": "session", "api_key": "api_key"}
_NO_CLAIMS: Mapping[str, object] = {}
_NO_ROLES: frozenset[str] = frozenset()


class Principal(Record):
    """A verified caller. `issuer` and `user_id` identify a user only together: two issuers may use the same id.

    `scopes` and `roles` are those that the issuer may give. `expires_at` is in whole epoch seconds. `claims` are the
    token's claims; for an issuer that may not give everything, without the claims that hold scopes and roles. A
    principal read from the authorizer's context has no `roles` and no `claims`.
    """

    __slots__ = ()

    user_id: str
    tenant_id: str
    issuer: str
    scopes: frozenset[str]
    expires_at: int
    auth_method: AuthMethod = "bearer"
    claims: Mapping[str, object] = _NO_CLAIMS
    roles: frozenset[str] = _NO_ROLES

    @property
    def global_id(self) -> str:
        """Issuer and user in one text that is unique to the pair: the issuer ends at the first `#`."""
        issuer = self.issuer
        if "#" in issuer or "%" in issuer:
            issuer = issuer.replace("%", "%25").replace("#", "%23")
        return f"{issuer}#{self.user_id}"

    def to_context(self) -> dict[str, str | int | bool]:
        """The authorizer's context: only strings and numbers, because a REST API responds 500 to anything else."""
        return {
            "user_id": self.user_id,
            "tenant_id": self.tenant_id,
            "issuer": self.issuer,
            "scopes": " ".join(sorted(self.scopes)),
            "expires_at": self.expires_at,
            "auth_method": self.auth_method,
        }

    @classmethod
    def from_context(cls, context: Mapping[str, object]) -> Principal:
        """Read what `to_context` wrote, as API Gateway passes it on (a REST API turns numbers into strings).

        Raises `AuthenticationRequired` when a member is missing or has the wrong form: the authorizer wrote no such
        context.
        """
        texts = {name: context.get(name) for name in ("user_id", "tenant_id", "issuer")}
        for name, value in texts.items():
            if not isinstance(value, str) or not value:
                raise AuthenticationRequired("authorizer context is incomplete", member=name)
        scopes = context.get("scopes", "")
        auth_method = _AUTH_METHODS.get(context.get("auth_method"))
        if not isinstance(scopes, str) or auth_method is None:
            raise AuthenticationRequired("authorizer context is malformed", member="scopes or auth_method")
        return cls(
            user_id=str(texts["user_id"]),
            tenant_id=str(texts["tenant_id"]),
            issuer=str(texts["issuer"]),
            scopes=frozenset(scopes.split()),
            expires_at=_whole_number(context.get("expires_at")),
            auth_method=auth_method,
        )


def _whole_number(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12:
        return int(value)
    # A gateway's JSON may turn 17 into 17.0.
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1 and value >= 0:
        return int(value)
    raise AuthenticationRequired("authorizer context is malformed", member="expires_at")
