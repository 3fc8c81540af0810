"""A trusted issuer: its metadata (OpenID Connect Discovery §4) and its key set (RFC 7517)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from tenantgate.errors.tokens import ProviderUnreachable
from tenantgate.tokens.discovery import endpoint, well_known_url
from tenantgate.tokens.fetch import fetch_json
from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate.tokens.keys import KeySet
from tenantgate.tokens.wiring import jwks_loader, read_bundle
from tenantgate_cli.doctor.configuration import Configuration
from tenantgate_cli.outcomes import Finding, failed, ok, skipped, warning

SECONDS = 8.0
_SIGN_IN = ("authorization_endpoint", "token_endpoint")


def discovery(of: Configuration, issuer: IssuerPolicy) -> Finding:
    """Fetch the metadata: it names the issuer, and has the endpoints that sign-ins use."""
    if issuer.discovery_url == "":
        return skipped("this issuer has no discovery document: its keys are configured")
    url = issuer.discovery_url or well_known_url(issuer.issuer)
    try:
        metadata = fetch_json(url, timeout=SECONDS)
        named = metadata.get("issuer")
        if named != issuer.issuer:
            return failed(
                f"{url} names the issuer {str(named)[:200]!r}",
                "set OIDC_ISSUER_URL (or the entry in TRUSTED_ISSUERS) to the issuer exactly as the document has it",
            )
        is_ours = issuer.issuer == of.settings.oidc_issuer_url
        return _for_sign_in(metadata, url) if is_ours else ok(f"{url} names the issuer")
    except ProviderUnreachable as problem:
        return _unreachable(problem, url)


def _for_sign_in(metadata: Mapping[str, object], url: str) -> Finding:
    missing = [name for name in _SIGN_IN if endpoint(metadata, name, source=url) is None]
    if missing:
        return failed(f"{url} has no {' and no '.join(missing)}", "use a provider with the authorization code flow")
    methods = metadata.get("code_challenge_methods_supported")
    if isinstance(methods, list) and "S256" not in methods:
        return warning("the provider doesn't list PKCE with S256", "switch PKCE on at the provider for this client")
    return ok(f"{url} names the issuer and its endpoints")


def keys(of: Configuration, issuer: IssuerPolicy) -> Finding:
    """Fetch the key set, and count the keys that verify with an allowed algorithm."""
    try:
        found = KeySet.parse(jwks_loader(issuer)(SECONDS))
    except ProviderUnreachable as problem:
        return _unreachable(problem, issuer.jwks_uri or issuer.issuer)
    except ValueError as problem:
        return failed(str(problem), "have the provider publish a signing key that RFC 7518 defines")
    usable = [algorithms & issuer.algorithms for _, algorithms, _ in found.identities]
    names = sorted(frozenset().union(*usable))
    number = sum(bool(each) for each in usable)
    if not number:
        return failed(
            f"none of {len(usable)} key(s) fits the allowed algorithms {', '.join(sorted(issuer.algorithms))}",
            'add the algorithm to "algorithms" of its entry in TRUSTED_ISSUERS, or change it at the provider',
        )
    text = f"{number} usable key(s): {', '.join(names)}" + (f"; {found.skipped} skipped" if found.skipped else "")
    return _aged(of, issuer) or ok(text)


def _aged(of: Configuration, issuer: IssuerPolicy) -> Finding | None:
    """Return a finding for a bundled key set that is older than the age at which keys are dropped."""
    if issuer.jwks_file is None or issuer.is_known_by_file_only:
        return None
    bundle = read_bundle(issuer.jwks_file)
    if bundle is None or time.time() - bundle.fetched_at <= of.settings.token_policy.jwks_max_age_seconds:
        return None
    return warning(f"the bundled key set {issuer.jwks_file} is too old to count", "tenantgate jwks bundle, then deploy")


def _unreachable(problem: ProviderUnreachable, url: str) -> Finding:
    private = ", ".join(f"{name} {value}" for name, value in problem.private.items() if name != "issuer")
    host = urlsplit(url).hostname
    return failed(f"{problem.reason} ({private})", f"check the issuer's URL, and that this machine reaches {host}")
