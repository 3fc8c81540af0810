"""Who is calling: the typed result of checking a credential, and its form in the authorizer's context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tenantgate.errors import AuthenticationRequired
from tenantgate.tokens.records import Record

if TYPE_CHECKING:
    from typing import Literal

type AuthMethod = Literal["bearer", "session", "api_key"]

_AUTH_METHODS: dict[object, AuthMethod] = {"bearer": "bearer", "session": "session", "api_key": "api_key"}
_NO_CLAIMS: Mapping[str, object] = {}
# Where providers put roles or groups: each a list of texts, or one text.
ROLE_CLAIMS = ("roles", "groups", "cognito:groups")


class Principal(Record):
    """A verified caller. `expires_at` is whole epoch seconds; `claims` are those of the token, empty when it was read
    from the authorizer's context."""

    __slots__ = ()

    user_id: str
    tenant_id: str
    issuer: str
    scopes: frozenset[str]
    expires_at: int
    auth_method: AuthMethod = "bearer"
    claims: Mapping[str, object] = _NO_CLAIMS

    @property
    def roles(self) -> frozenset[str]:
        """What the token's `ROLE_CLAIMS` name, together; a claim of another form names none."""
        found: set[str] = set()
        for name in ROLE_CLAIMS:
            value = self.claims.get(name)
            if isinstance(value, str):
                found.add(value)
            elif isinstance(value, list):
                found.update(item for item in value if isinstance(item, str))
        return frozenset(found)

    def to_context(self) -> dict[str, str | int | bool]:
        """The authorizer's context: strings and numbers alone, because a REST API answers 500 to anything else."""
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
        """Read back what `to_context` wrote and API Gateway handed on (REST turns numbers into strings).

        Raises `AuthenticationRequired` when a member is missing or of the wrong form: such a context isn't ours.
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
