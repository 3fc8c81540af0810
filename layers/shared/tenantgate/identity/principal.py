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
    principal read from the authorizer's context has no `roles` and no `claims`. `session_id`: only for a session.
    `auth_time`: the time of the sign-in in epoch seconds, if it is known: our own for a session, otherwise the claim.
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
    session_id: str | None = None
    auth_time: int | None = None

    @property
    def global_id(self) -> str:
        """Issuer and user in one text that is unique to the pair: the issuer ends at the first `#`."""
        issuer = self.issuer
        if "#" in issuer or "%" in issuer:
            issuer = issuer.replace("%", "%25").replace("#", "%23")
        return f"{issuer}#{self.user_id}"

    def to_context(self) -> dict[str, str | int | bool]:
        """The authorizer's context: only strings and numbers, because a REST API responds 500 to anything else."""
        context: dict[str, str | int | bool] = {
            "user_id": self.user_id,
            "tenant_id": self.tenant_id,
            "issuer": self.issuer,
            "scopes": " ".join(sorted(self.scopes)),
            "expires_at": self.expires_at,
            "auth_method": self.auth_method,
        }
        if self.session_id is not None:
            context["session_id"] = self.session_id
        if self.auth_time is not None:
            context["auth_time"] = self.auth_time
        return context

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
        scopes, session_id, auth_time = context.get("scopes", ""), context.get("session_id"), context.get("auth_time")
        auth_method = _AUTH_METHODS.get(context.get("auth_method"))
        if not isinstance(scopes, str) or auth_method is None:
            raise AuthenticationRequired("authorizer context is malformed", member="scopes or auth_method")
        if (auth_method == "session") != (isinstance(session_id, str) and bool(session_id)):
            raise AuthenticationRequired("authorizer context is malformed", member="session_id")
        return cls(
            user_id=str(texts["user_id"]),
            tenant_id=str(texts["tenant_id"]),
            issuer=str(texts["issuer"]),
            scopes=frozenset(scopes.split()),
            expires_at=_whole_number("expires_at", context.get("expires_at")),
            auth_method=auth_method,
            session_id=str(session_id) if auth_method == "session" else None,
            auth_time=None if auth_time is None else _whole_number("auth_time", auth_time),
        )


def _whole_number(member: str, value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12:
        return int(value)
    # A gateway's JSON may turn 17 into 17.0.
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1 and value >= 0:
        return int(value)
    raise AuthenticationRequired("authorizer context is malformed", member=member)
