"""The authorizer's connection to Valkey, which sessions and revocations share.

Imported with the first credential, and only with `REDIS_URL`: it opens sockets, and nothing else does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tenantgate.cache_url import CacheUrl, parse_cache_name, parse_cache_url
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.revoked.holder import Holder
from tenantgate.revoked.reader import RevocationReader
from tenantgate.valkey_reader.reader import ValkeyReader

if TYPE_CHECKING:
    from typing import NoReturn

    from tenantgate.revoked.snapshot import Snapshot


class Valkey:
    """Values on one connection, and the revocations that are read on it."""

    def __init__(self, values: ValkeyReader | _Unusable) -> None:
        self.values = values
        self._revocations = RevocationReader(values, Holder())

    def revocations(self) -> Snapshot:
        """Return the current revocations. Raises `RevocationUnknown`."""
        return self._revocations.current()


class _Unusable:
    """Stands for the server of a `REDIS_URL` that can't be used: no credential passes, and the log names the reason."""

    def __init__(self, form: str) -> None:
        self._form = form

    def get_many(self, *keys: str, longest: int = 0, seconds: float | None = None) -> NoReturn:
        del keys, longest, seconds
        self._refuse()

    def set(self, key: str, value: bytes, *, seconds: int) -> NoReturn:
        del key, value, seconds
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise CacheUnavailable("REDIS_URL, REDIS_TLS or REDIS_IAM_CACHE is malformed", expected=self._form)


def valkey(values: Mapping[str, str]) -> Valkey:
    """Return the connection to `REDIS_URL`, by `REDIS_TLS` and `ENVIRONMENT`. It is opened with the first read."""
    try:
        address = parse_cache_url(
            values.get("REDIS_URL", "").strip(),
            protection=values.get("REDIS_TLS", "").strip() or "verify-full",
            relaxed=values.get("ENVIRONMENT", "").strip().lower() in ("development", "test"),
            iam_cache=parse_cache_name(values.get("REDIS_IAM_CACHE", "").strip()),
            region=values.get("AWS_REGION", ""),
        )
    except ValueError as form:
        return Valkey(_Unusable(str(form)))
    return Valkey(ValkeyReader(address, login=_token_login(address, values) if address.iam_cache else None))


def _token_login(address: CacheUrl, values: Mapping[str, str]) -> Callable[[], tuple[str, str]]:
    from tenantgate.cache_token import cache_token, credentials_in  # noqa: PLC0415  (only with REDIS_IAM_CACHE)

    return lambda: (address.user, cache_token(address, credentials_in(values)))
