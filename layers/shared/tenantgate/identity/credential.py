"""Credentials by authorization scheme: each kind turns a credential into the principal that it proves.

A function's wiring names the kinds that it accepts. `bearer.py` implements bearer tokens; other kinds implement
`Credential` in their domains. A credential in a cookie or another header is written as `<scheme> <value>` first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenantgate.errors.access import AuthenticationRequired

# Only for the type checker: making a protocol would slow every cold start.
if TYPE_CHECKING:
    from typing import Protocol

    from tenantgate.identity.principal import Principal

    class Credential(Protocol):
        """One kind of credential."""

        @property
        def scheme(self) -> str:
            """The authorization scheme that announces it, in lower case."""
            ...

        def authenticate(self, value: str, *, fetch: bool = True) -> Principal:
            """Check `value`, which follows the scheme, and return the principal that it proves.

            Raises `AuthenticationRequired` for a value of the wrong form, and the error of the first check that fails.
            Without `fetch`, raises `FetchNeeded` where only a fetch could tell.
            """
            ...


class Credentials:
    """The kinds of credential that a function accepts, one for each scheme."""

    def __init__(self, *accepted: Credential) -> None:
        """Accept these kinds. Raises `ValueError` for two of one scheme: which of them decides would be a guess."""
        self._by_scheme = {credential.scheme: credential for credential in accepted}
        if len(self._by_scheme) != len(accepted):
            raise ValueError("two credentials of one authorization scheme")

    def authenticate(self, authorization: str | None, *, fetch: bool = True) -> Principal:
        """Return the principal behind an `Authorization` header, by the credential of its scheme.

        Raises `AuthenticationRequired` for a missing header or a scheme that isn't accepted, and the credential's own
        errors.
        """
        scheme, value = split_authorization(authorization)
        credential = self._by_scheme.get(scheme)
        if credential is None:
            raise AuthenticationRequired("Authorization is not of an accepted scheme")
        return credential.authenticate(value, fetch=fetch)


def split_authorization(authorization: str | None) -> tuple[str, str]:
    """Return the scheme in lower case and the value (RFC 9110 §11.4). Raises `AuthenticationRequired` for None."""
    if authorization is None:
        raise AuthenticationRequired("Authorization is missing")
    scheme, _, value = authorization.partition(" ")
    return scheme.lower(), value
