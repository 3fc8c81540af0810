"""Events that are acted on, and the subjects that they name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tenantgate.errors.tokens import TokenError
from tenantgate.signals.errors import ForeignSubject, UnsupportedSubject
from tenantgate.tokens.claims import required_text

_CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
_RISC = "https://schemas.openid.net/secevent/risc/event-type/"

# Each of them ends what its subject names (CAEP 1.0 §3, RISC Profile 1.0 §2).
ENDING_EVENTS = frozenset(
    {
        f"{_CAEP}session-revoked",
        f"{_CAEP}credential-change",
        f"{_CAEP}token-claims-change",
        f"{_RISC}account-disabled",
        f"{_RISC}sessions-revoked",
    }
)
# Sent on request, to test the delivery (Shared Signals Framework 1.0 §8.1.4).
VERIFICATION_EVENT = "https://schemas.openid.net/secevent/ssf/event-type/verification"


class Subject(NamedTuple):
    """The subject of an event: all that is not None together.

    `user`: the `sub` of the issuer's user. `sid`: the issuer's id of a session. `token_id`: an access token's `jti`.
    """

    user: str | None = None
    sid: str | None = None
    token_id: str | None = None
    tenant_id: str | None = None

    @property
    def is_whole_tenant(self) -> bool:
        return self.user is None and self.sid is None and self.token_id is None


def read_subject(value: object, *, issuer: str) -> Subject:
    """Read `sub_id` (RFC 9493 §3, Shared Signals Framework 1.0 §3).

    The formats `iss_sub` (a user), `opaque` (a session by its `sid`) and `jwt_id` (an access token), and complex
    subjects with the members `user`, `session` and `tenant` of these. Others would have to be ignored, so that the
    event ended more than it names. Raises `UnsupportedSubject` and `ForeignSubject`.
    """
    if not isinstance(value, dict) or value.get("format") != "complex":
        return _simple(value, issuer)
    members = {name: member for name, member in value.items() if name != "format"}
    if not members or not members.keys() <= {"user", "session", "tenant"}:
        raise UnsupportedSubject("a complex subject has user, session and tenant", members=len(members))
    subject = Subject()
    if "user" in members:
        subject = subject._replace(user=_one_of(members["user"], "iss_sub", issuer=issuer).user)
    if "session" in members:
        named = _one_of(members["session"], "opaque", "jwt_id", issuer=issuer)
        subject = subject._replace(sid=named.sid, token_id=named.token_id)
    if "tenant" in members:
        subject = subject._replace(tenant_id=_one_of(members["tenant"], "opaque", issuer=issuer).sid)
    return subject


def _one_of(value: object, *formats: str, issuer: str) -> Subject:
    if not isinstance(value, dict) or value.get("format") not in formats:
        raise UnsupportedSubject("the member of a complex subject has another format")
    return _simple(value, issuer)


def _simple(value: object, issuer: str) -> Subject:
    if not isinstance(value, dict):
        raise UnsupportedSubject("sub_id is missing or not an object")
    match value.get("format"):
        case "iss_sub":
            return Subject(user=_member(value, "sub", "iss", issuer=issuer))
        case "opaque":
            return Subject(sid=_member(value, "id", issuer=issuer))
        case "jwt_id":
            return Subject(token_id=_member(value, "jti", "iss", issuer=issuer))
        case _:
            raise UnsupportedSubject("the format of sub_id is not supported")


def _member(value: Mapping[str, object], name: str, *others: str, issuer: str) -> str:
    """Return the member that identifies the subject, next to its issuer's (`iss`), if the format has one."""
    if value.keys() != {"format", name, *others}:
        raise UnsupportedSubject("sub_id has other members than its format")
    if others and value["iss"] != issuer:
        raise ForeignSubject("the subject is another issuer's")
    try:
        return required_text(value, name)
    except TokenError as malformed:
        raise UnsupportedSubject("the identifier of the subject is not a short text") from malformed
