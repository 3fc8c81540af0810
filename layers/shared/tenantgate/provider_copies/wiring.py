"""The copies of this process: in `REDIS_URL`, under the sealing keys. For functions that have these keys anyway."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from tenantgate import time_limits
from tenantgate.cache_counts import KEY_SETS, METADATA
from tenantgate.cache_url import CacheUrl
from tenantgate.provider_copies.entry import Place
from tenantgate.provider_copies.store import IsUsable, ProviderCopies, Values
from tenantgate.secrets.wiring import secret_store
from tenantgate.settings.environment import get_settings
from tenantgate.tokens.copies import Copies, KeySetCopies
from tenantgate.tokens.discovery import USABLE_SECONDS, well_known_url
from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate.tokens.policy import TokenPolicy
from tenantgate.tokens.verifier import TokenVerifier
from tenantgate.tokens.wiring import token_verifier

CONNECT_SECONDS = time_limits.COPIES_CONNECT
REPLY_SECONDS = time_limits.COPIES_REPLY


def sharing_verifier(policy: TokenPolicy) -> TokenVerifier:
    """Make a verifier whose key sets are shared with other processes, if `REDIS_URL` is set."""
    copies = provider_copies()
    return token_verifier(policy, copies=None if copies is None else key_set_copies(copies, policy))


def key_set_copies(copies: ProviderCopies, policy: TokenPolicy) -> KeySetCopies:
    """Return the function that returns the copies of an issuer's key set."""

    def of(issuer: IssuerPolicy) -> Copies:
        place = Place(KEY_SETS, issuer.issuer, issuer.jwks_uri or _discovery_url(issuer))
        return copies.of(place, f"tenantgate:keys:{place.digest()}", longest_age=policy.jwks_max_age_seconds)

    return of


def metadata_copies(copies: ProviderCopies, issuer: IssuerPolicy, is_usable: IsUsable) -> Copies:
    """Return the copies of an issuer's metadata."""
    place = Place(METADATA, issuer.issuer, _discovery_url(issuer))
    key = f"tenantgate:metadata:{place.digest()}"
    return copies.of(place, key, longest_age=USABLE_SECONDS, is_usable=is_usable)


@cache
def provider_copies() -> ProviderCopies | None:
    """Return this process's copies; None without `REDIS_URL`."""
    url = get_settings().cache_url
    if url is None:
        return None

    def values() -> Values:
        # Imported here: with everything in memory, nothing is read.
        from tenantgate.valkey_reader.reader import ValkeyReader  # noqa: PLC0415

        if not made:
            login = _token_login(url) if url.iam_cache else None
            made.append(ValkeyReader(url, login=login, connect_seconds=CONNECT_SECONDS, reply_seconds=REPLY_SECONDS))
        return made[0]

    made: list[Values] = []
    return ProviderCopies(values, secret_store().sealer_now)


def _token_login(url: CacheUrl) -> Callable[[], tuple[str, str]]:
    from tenantgate.aws.elasticache import cache_login  # noqa: PLC0415  (only with REDIS_IAM_CACHE)

    return lambda: cache_login(url)


def _discovery_url(issuer: IssuerPolicy) -> str:
    return issuer.discovery_url or well_known_url(issuer.issuer)
