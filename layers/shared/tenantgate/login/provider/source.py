"""The source of the provider's metadata: memory, a copy from another process, or the provider."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from tenantgate.errors.tokens import ProviderUnreachable
from tenantgate.login.provider.metadata import ProviderMetadata
from tenantgate.provider_copies.store import ProviderCopies
from tenantgate.provider_copies.wiring import metadata_copies
from tenantgate.settings.model import Settings
from tenantgate.tokens.discovery import provider_directory, provider_metadata, well_known_url
from tenantgate.tokens.waiting import awaited


def provider_source(
    settings: Settings, copies: ProviderCopies | None = None
) -> Callable[[], Awaitable[ProviderMetadata]]:
    """Return the function that reads the provider's metadata: from memory, `copies` or the provider."""
    issuer = settings.token_policy.issuers[0]
    source = issuer.discovery_url or well_known_url(issuer.issuer)

    def is_complete(document: Mapping[str, object]) -> bool:
        try:
            ProviderMetadata.from_document(document, source=source).require_sign_in()
        except ProviderUnreachable:
            return False
        return True

    shared = None if copies is None else metadata_copies(copies, issuer, is_complete)

    async def provider() -> ProviderMetadata:
        document = await awaited(lambda: provider_metadata(issuer.issuer, source, fetch=False, copies=shared))
        return ProviderMetadata.from_document(document, source=source)

    return provider


def sign_in_provider(settings: Settings, copies: ProviderCopies | None) -> Callable[[], Awaitable[ProviderMetadata]]:
    issuer, provider = settings.token_policy.issuers[0], provider_source(settings, copies)

    async def complete() -> ProviderMetadata:
        metadata = await provider()
        try:
            metadata.require_sign_in()
        except ProviderUnreachable:
            # Don't keep an incomplete document for its whole hour: it may have been published by mistake.
            provider_directory().forget(issuer.issuer, issuer.discovery_url)
            raise
        return metadata

    return complete
