"""Build the verifier of a policy, with key sets from bundled files, memory and the issuers."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tenantgate.errors.tokens import MalformedToken, ProviderUnreachable
from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate.tokens.jwks import Bundle, CachedIssuerKeys, JwksCache, LoadJwks, Timings
from tenantgate.tokens.jws import json_object
from tenantgate.tokens.keys import KeySet
from tenantgate.tokens.policy import TokenPolicy
from tenantgate.tokens.tenant import TenantExtractor
from tenantgate.tokens.verifier import TokenVerifier

if TYPE_CHECKING:
    from tenantgate.tokens.copies import KeySetCopies

_log = logging.getLogger(__name__)


def token_verifier(policy: TokenPolicy, *, copies: KeySetCopies | None = None) -> TokenVerifier:
    """Make a verifier with its own key cache; one per process. `copies`: of key sets that other processes fetched."""
    return TokenVerifier(policy, jwks_cache(policy, copies=copies))


def tenant_extractor(policy: TokenPolicy) -> TenantExtractor:
    """Make the extractor for the policy's claim names, pattern and issuer bindings."""
    return TenantExtractor(policy.tenant_claim_names, policy.tenant_id_pattern, issuers=policy.issuers)


def jwks_cache(policy: TokenPolicy, *, timings: Timings | None = None, copies: KeySetCopies | None = None) -> JwksCache:
    """Make the key cache of the policy's issuers. It reads and fetches keys when one is first needed."""
    # Instances that started at the same time should not refresh at the same time.
    ahead = 0.75 + os.urandom(1)[0] / 2560
    times = timings or Timings(policy.jwks_cache_ttl_seconds, policy.jwks_max_age_seconds, refresh_ahead=ahead)
    return JwksCache({issuer.issuer: _issuer_keys(issuer, times, copies) for issuer in policy.issuers})


def _issuer_keys(issuer: IssuerPolicy, timings: Timings, copies: KeySetCopies | None) -> CachedIssuerKeys:
    load, bundle = jwks_loader(issuer), _bundle_reader(issuer.jwks_file)
    if copies is None or issuer.is_known_by_file_only:
        return CachedIssuerKeys(issuer.issuer, load, timings=timings, bundle=bundle)
    # Imported here: the authorizer has no copies.
    from tenantgate.tokens.shared_keys import SharedIssuerKeys  # noqa: PLC0415

    return SharedIssuerKeys(issuer.issuer, load, copies=copies(issuer), timings=timings, bundle=bundle)


def jwks_loader(issuer: IssuerPolicy) -> LoadJwks:
    """Return a function that fetches the issuer's key set from its `jwks_uri`, or from that of its metadata.

    If neither is known, the function reads the issuer's file. A changed file counts at the next refresh.
    """

    def load(timeout: float) -> Mapping[str, object]:
        if issuer.is_known_by_file_only:
            return _key_set_in(issuer.jwks_file)
        # Imported here: with a bundled key set, a cold start never fetches.
        from tenantgate.tokens.discovery import endpoint, provider_directory, well_known_url  # noqa: PLC0415
        from tenantgate.tokens.fetch import fetch_json  # noqa: PLC0415

        if issuer.jwks_uri is not None:
            return fetch_json(issuer.jwks_uri, timeout=timeout)
        directory = provider_directory()
        deadline = time.monotonic() + timeout
        metadata = directory.metadata(issuer.issuer, issuer.discovery_url, timeout=timeout)
        try:
            source = issuer.discovery_url or well_known_url(issuer.issuer)
            jwks_uri = endpoint(metadata, "jwks_uri", source=source)
            if jwks_uri is None:
                raise ProviderUnreachable("the provider's metadata has no jwks_uri", issuer=issuer.issuer)
            return fetch_json(jwks_uri, timeout=max(0.1, deadline - time.monotonic()))
        except ProviderUnreachable:
            # The key set may have moved: fetch the metadata again next time.
            directory.doubt(issuer.issuer, issuer.discovery_url)
            raise

    return load


def _key_set_in(path: str | None) -> Mapping[str, object]:
    try:
        with open(path or "", "rb") as file:  # noqa: PTH123 - pathlib would slow the cold start
            return json_object(file.read(), "key set")
    except (OSError, MalformedToken) as problem:
        raise ProviderUnreachable("the issuer's key file is unusable", file=path, problem=str(problem)) from None


def _bundle_reader(path: str | None) -> Callable[[], Bundle | None]:
    def read() -> Bundle | None:
        return None if path is None else read_bundle(path)

    return read


def read_bundle(path: str) -> Bundle | None:
    """Read the key set in a file. Its age counts from its member `fetched_at` (epoch seconds), by default from the
    file's modification. Returns None, and logs an error, if the file isn't usable."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib would slow the cold start
            document = json_object(file.read(), "key set")
            fetched_at = document.get("fetched_at", os.fstat(file.fileno()).st_mtime)
        if isinstance(fetched_at, bool) or not isinstance(fetched_at, int | float):
            raise ValueError("fetched_at is not a number")
        return Bundle(KeySet.parse(document), fetched_at)
    except (OSError, ValueError, MalformedToken) as problem:
        _log.error("the bundled key set is unusable", extra={"context": {"file": path, "problem": problem}})
        return None
