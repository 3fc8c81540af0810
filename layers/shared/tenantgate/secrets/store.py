"""Secrets at run time, from AWS Secrets Manager, or from the environment without AWS. Kept only in memory.

The secret is a JSON object whose members have the names in `SECRET_NAMES` and `OPTIONAL_SECRET_NAMES`. Each read makes
up to three attempts with exponential backoff. The secret is read again every five minutes, so a rotated one needs no
deployment. After a failed read the values in memory stay in use: a short outage of Secrets Manager must not become one
of this service.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal, Protocol

from tenantgate.aws.failures import failure_name
from tenantgate.crypto.sealing import Sealer
from tenantgate.errors.base import Word
from tenantgate.secrets.errors import SecretMissing, SecretsUnavailable
from tenantgate.settings.deployment import OPTIONAL_SECRET_NAMES, SECRET_NAMES

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 300
# After a failed read. Without this pause, each request during an outage would wait for three attempts.
RETRY_AFTER_SECONDS = 5
ATTEMPTS = 3


class SecretsClient(Protocol):
    """The only method of boto3's Secrets Manager client that the store calls."""

    def get_secret_value(self, *, SecretId: str) -> Mapping[str, Any]: ...  # noqa: N803  (boto3's spelling)


@dataclass(frozen=True, slots=True)
class SecretsHealth:
    """`unavailable` when a required secret has no usable value in memory; `stale` when the last read failed."""

    status: Literal["ok", "stale", "unavailable"]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Held:
    """The result of the last read. It is replaced as a whole, so no thread sees new times with old values."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    failure: str = ""
    read_again_at: float = float("-inf")


class SecretStore:
    """Secrets by name. Threads and tasks of one process can share a store.

    `client` is called when Secrets Manager is first read. With no `secret_id`, `environment` is the only source; with
    `fall_back_to_environment`, it is used while Secrets Manager has not been read yet and can't be.
    """

    def __init__(
        self,
        *,
        secret_id: str | None,
        environment: Mapping[str, str],
        client: Callable[[], SecretsClient],
        fall_back_to_environment: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._secret_id = secret_id
        self._environment = environment
        self._client = client
        self._fall_back = fall_back_to_environment
        self._clock = clock
        self._held = _Held()
        self._invalidations = 0
        self._reading = threading.Lock()

    async def get(self, name: str) -> str:
        """Return the secret's value, without blocking the event loop.

        Raises `SecretsUnavailable`, and its subclass `SecretMissing` if the secrets were read and have no such value.
        """
        if self._is_fresh():
            return self._value(name)
        return await asyncio.to_thread(self.get_now, name)

    def get_now(self, name: str) -> str:
        """Return the secret's value; block while Secrets Manager is read. Raises `SecretsUnavailable`."""
        self._refresh()
        return self._value(name)

    async def sealer(self) -> Sealer:
        """Return a sealer with `COOKIE_SEALING_KEYS` (comma-separated, newest first). Raises `SecretsUnavailable`."""
        return _sealer(await self.get("COOKIE_SEALING_KEYS"))

    async def key_encryption(self) -> Sealer:
        """Return the `KEY_ENCRYPTION_KEYS` (comma-separated, newest first). Raises `SecretsUnavailable`."""
        return _key_encryption(await self.get("KEY_ENCRYPTION_KEYS"))

    def sealer_now(self) -> Sealer:
        """Return a sealer with the keys in memory, even outdated ones; without any, read them and block.

        Raises `SecretsUnavailable`.
        """
        return _sealer(self._held.values.get("COOKIE_SEALING_KEYS") or self.get_now("COOKIE_SEALING_KEYS"))

    async def check(self) -> SecretsHealth:
        """Report for the readiness check if every required secret has a usable value."""
        if not self._is_fresh():
            await asyncio.to_thread(self._refresh)
        held = self._held
        missing = [name for name in SECRET_NAMES if not held.values.get(name)]
        if missing:
            return SecretsHealth("unavailable", f"no value for {', '.join(missing)}")
        try:
            _sealer(held.values["COOKIE_SEALING_KEYS"])
        except SecretsUnavailable as unusable:
            return SecretsHealth("unavailable", unusable.reason)
        return SecretsHealth("stale", held.failure) if held.failure else SecretsHealth("ok")

    def prepare(self) -> None:
        """Load the client before the first read, for a caller whose deadline does not cover a cold start."""
        if self._secret_id is not None:
            import stamina  # noqa: F401, PLC0415

            # A read reports the same problem.
            with contextlib.suppress(Exception):
                self._client()

    def invalidate(self) -> None:
        """Read the secret again at the next call, because a value turned out to be wrong."""
        # A read in progress may have begun before the secret changed, so its result is outdated too.
        self._invalidations += 1
        self._held = replace(self._held, read_again_at=float("-inf"))

    def _is_fresh(self) -> bool:
        return self._clock() < self._held.read_again_at

    def _refresh(self) -> None:
        with self._reading:
            if self._is_fresh():
                return
            invalidations = self._invalidations
            held = self._next()
            if invalidations != self._invalidations:
                held = replace(held, read_again_at=float("-inf"))
            self._held = held

    def _next(self) -> _Held:
        if self._secret_id is None:
            return _Held(self._from_environment(), read_again_at=self._clock() + REFRESH_SECONDS)
        try:
            return _Held(self._read(self._secret_id), read_again_at=self._clock() + REFRESH_SECONDS)
        except Exception as error:  # noqa: BLE001  (boto3's errors have no common base)
            failure, values = Word(failure_name(error)), self._held.values
            logger.warning("Secrets Manager can't be read", extra={"context": {"error": Word(failure)}})
            if not values and self._fall_back:
                values = self._from_environment()
            return _Held(values, failure, self._clock() + RETRY_AFTER_SECONDS)

    def _read(self, secret_id: str) -> Mapping[str, str]:
        import stamina  # noqa: PLC0415  (only where Secrets Manager is read)

        client = self._client()
        for attempt in stamina.retry_context(
            on=Exception, attempts=ATTEMPTS, wait_initial=0.1, wait_max=1.0, wait_jitter=0.1, timeout=None
        ):
            with attempt:
                members = json.loads(client.get_secret_value(SecretId=secret_id)["SecretString"])
                names = (*SECRET_NAMES, *OPTIONAL_SECRET_NAMES)
                return {name: str(members[name]) for name in names if members.get(name)}
        raise AssertionError("stamina raises the last attempt's error")

    def _from_environment(self) -> Mapping[str, str]:
        logger.warning(
            "secrets come from the environment, not from Secrets Manager",
            extra={"context": {"names": [Word(name) for name in sorted(self._environment)]}},
        )
        return self._environment

    def _value(self, name: str) -> str:
        held = self._held
        value = held.values.get(name)
        if not value:
            raise (SecretsUnavailable if held.failure else SecretMissing)(f"{name} has no value", failure=held.failure)
        return value


# Only the newest: old keys must not stay in memory after a rotation.
@lru_cache(maxsize=1)
def _sealer(keys: str) -> Sealer:
    return _made("COOKIE_SEALING_KEYS", keys)


@lru_cache(maxsize=1)
def _key_encryption(keys: str) -> Sealer:
    return _made("KEY_ENCRYPTION_KEYS", keys)


def _made(name: str, keys: str) -> Sealer:
    try:
        return Sealer([key for key in keys.split(",") if key.strip()], setting=name)
    except ValueError as error:
        raise SecretsUnavailable(f"{name}: {error}") from None
