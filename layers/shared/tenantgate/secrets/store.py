"""Secrets at run time: AWS Secrets Manager, or the environment where there is no AWS. Kept in memory only.

The secret is a JSON object whose members bear the names in `SECRET_NAMES`. It is read with the role's credentials,
three tries with exponential backoff, and read again every five minutes, so that a rotated secret needs no deployment.
A failed re-read keeps what is in memory: a hiccup of Secrets Manager is not an outage of ours.
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
from functools import cache, lru_cache
from typing import Any, Literal, Protocol

from tenantgate.crypto.sealing import Sealer
from tenantgate.errors.base import Word
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.settings.deployment import SECRET_NAMES
from tenantgate.settings.environment import environment_secrets, get_settings

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 300
# After a failed re-read, so that a dead Secrets Manager doesn't slow each request by three tries.
RETRY_AFTER_SECONDS = 5
ATTEMPTS = 3


class SecretsClient(Protocol):
    """The one call of boto3's Secrets Manager client that is needed."""

    def get_secret_value(self, *, SecretId: str) -> Mapping[str, Any]: ...  # noqa: N803  (boto3's spelling)


@dataclass(frozen=True, slots=True)
class SecretsHealth:
    """`unavailable` when a required secret has no usable value in memory; `stale` when the last read failed."""

    status: Literal["ok", "stale", "unavailable"]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Held:
    """What the last reading left, replaced as a whole: no reader sees new times with old values."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    failure: str = ""
    read_again_at: float = float("-inf")


class SecretStore:
    """Hands out secrets by name; safe to share between threads and tasks of one process."""

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
        """The secret's value; raises `SecretsUnavailable`. Never blocks the event loop."""
        if self._is_fresh():
            return self._value(name)
        return await asyncio.to_thread(self.get_now, name)

    def get_now(self, name: str) -> str:
        """The same, blocking while Secrets Manager is read."""
        self._refresh()
        return self._value(name)

    async def sealer(self) -> Sealer:
        """The sealer of `COOKIE_SEALING_KEYS` (comma-separated, newest first)."""
        return _sealer(await self.get("COOKIE_SEALING_KEYS"))

    async def check(self) -> SecretsHealth:
        """For the readiness check: whether every required secret has a usable value."""
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
        """Import and build what reading takes, for callers with a deadline that must not allow for a cold start."""
        if self._secret_id is not None:
            import stamina  # noqa: F401, PLC0415

            # What is wrong with it, reading tells.
            with contextlib.suppress(Exception):
                self._client()

    def invalidate(self) -> None:
        """Read the secret again at the next call: for when its owner says that it is no longer right."""
        # A reading under way may have begun before the secret changed, so it doesn't count either.
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
        except Exception as error:  # noqa: BLE001  (whatever boto3 raises: what is in memory goes on serving)
            failure, values = Word(type(error).__name__), self._held.values
            logger.warning("Secrets Manager can't be read", extra={"context": {"error": Word(failure)}})
            if not values and self._fall_back:
                values = self._from_environment()
            return _Held(values, failure, self._clock() + RETRY_AFTER_SECONDS)

    def _read(self, secret_id: str) -> Mapping[str, str]:
        import stamina  # noqa: PLC0415  (with boto3, only where Secrets Manager is really read)

        client = self._client()
        for attempt in stamina.retry_context(
            on=Exception, attempts=ATTEMPTS, wait_initial=0.1, wait_max=1.0, wait_jitter=0.1, timeout=None
        ):
            with attempt:
                members = json.loads(client.get_secret_value(SecretId=secret_id)["SecretString"])
                return {name: str(members[name]) for name in SECRET_NAMES if members.get(name)}
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
            raise SecretsUnavailable(f"{name} has no value", failure=held.failure)
        return value


# The last one only: old keys must not stay in memory after a rotation.
@lru_cache(maxsize=1)
def _sealer(keys: str) -> Sealer:
    try:
        return Sealer([key for key in keys.split(",") if key.strip()])
    except ValueError as error:
        raise SecretsUnavailable(f"COOKIE_SEALING_KEYS: {error}") from None


@cache
def secret_store() -> SecretStore:
    """This process's store."""
    settings = get_settings()

    @cache
    def client() -> SecretsClient:
        import boto3  # noqa: PLC0415  (200 ms at a cold start, and only where Secrets Manager is really read)
        from botocore.config import Config  # noqa: PLC0415

        limits = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1})
        made: SecretsClient = boto3.client("secretsmanager", region_name=settings.aws_region, config=limits)
        return made

    return SecretStore(
        secret_id=settings.aws_secrets_manager_secret_id,
        environment=environment_secrets(),
        client=client,
        fall_back_to_environment=settings.environment in ("development", "test"),
    )
