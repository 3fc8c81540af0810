"""The verification settings: any text gives a policy or a list of its problems."""

from __future__ import annotations

import json
import re
import warnings

from fuzz.judge import Finding
from fuzz.targets import Target, Try
from tenantgate.tokens.policy import VARIABLES, PolicyError, TokenPolicy, token_policy

# 127.0.0.0/8, ::1 and the name.
_LOOPBACK = re.compile(r"http://(127(?:\.\d{1,3}){3}|(?i:localhost)|\[::1\])(:\d+)?([/?].*)?\Z")


def _judge(policy: TokenPolicy, local: bool) -> None:
    for issuer in policy.issuers:
        fetched = [url for url in (issuer.jwks_uri, issuer.discovery_url) if url]
        if issuer.jwks_uri is None and issuer.discovery_url is None:
            fetched.append(issuer.issuer)
        if not all(url.startswith("https://") or (local and _LOOPBACK.match(url)) for url in fetched):
            raise Finding("keys that can be replaced in transit")
        if not fetched and issuer.jwks_file is None:
            raise Finding("an issuer without a source of keys")
        if not issuer.audiences or not issuer.algorithms:
            raise Finding("an issuer without audiences or algorithms")
    if policy.access_token_issuer not in (None, *(issuer.issuer for issuer in policy.issuers)):
        raise Finding("a pair with an issuer that isn't trusted")
    if not policy.issuers:
        raise Finding("a policy without an issuer")
    # A pattern that backtracks without end shows as a time-out.
    for tenant in ("a" * 127 + "!", "a-" * 63 + "!", "0" * 127 + "\n"):
        policy.tenant_id_pattern.fullmatch(tenant)


def _prepare() -> Try:
    def try_bytes(data: bytes) -> None:
        lines = [line.partition("=") for line in data.decode("utf-8", "replace").split("\n")]
        values = {name: value for name, _, value in lines if name in VARIABLES}
        try:
            # A TENANT_ID_PATTERN may be any regular expression, even one with deprecated syntax.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                policy = token_policy(values)
        except PolicyError as refused:
            if not refused.problems or {name for name, _ in refused.problems} - VARIABLES.keys():
                raise Finding("rejected without a reason") from None
            return
        local = values.get("ENVIRONMENT", "").strip() in ("development", "test")
        _judge(policy, local)

    return try_bytes


def _seeds() -> list[bytes]:
    trusted = [
        {
            "issuer": "https://a.example.test/x",
            "audiences": ["api"],
            "tenants": "*",
            "audience_claims": ["aud", "client_id"],
            "algorithms": ["RS256"],
            "token_types": ["at+jwt", ""],
            "token_use": ["access"],
            "claims": {"user_id": "sub", "tenant": ["org.id"], "scope": ["scp"], "roles": ["realm_access.roles"]},
            "scopes": ["orders:read"],
            "roles": "*",
            "client_ids": ["spa"],
            "jwks_uri": "https://a.example.test/keys?appid=1",
            "allow_id_tokens": False,
        }
    ]
    first = "OIDC_ISSUER_URL=https://issuer.example.test/\nOIDC_AUDIENCE=api, other\n"
    return [
        first.encode(),
        f"TRUSTED_ISSUERS={json.dumps(trusted)}\nENVIRONMENT=production".encode(),
        (first + "JWT_TENANT_CLAIM_NAME=tenant_id,https://a/b,org.id\nTENANT_ID_PATTERN=org-{uuid}").encode(),
        (first + "TENANT_ID_PATTERN=^[a-z]{3,9}(?:-x)?$\nJWT_ROLES_CLAIM_NAME=a.b,c\nJWT_LEEWAY_SECONDS=0").encode(),
        b"ENVIRONMENT=development\nOIDC_ISSUER_URL=http://127.0.0.1:3000/idp\nOIDC_CLIENT_ID=me\nOIDC_JWKS_FILE=/x",
        (
            first + "OIDC_DISCOVERY_URL=https://b.example.test/d?p=1\nOIDC_ACCESS_TOKEN_ISSUER=https://a.example.test/x"
        ).encode(),
        (first + "OIDC_LOGOUT_URL=https://b.example.test/logout\nOIDC_LOGOUT_REDIRECT_PARAM=logout_uri").encode(),
        b'TRUSTED_ISSUERS=[{"issuer":"urn:x","audiences":["a"],"tenants":"*","jwks_file":"/k"}]',
        (first + "TENANT_ID_PATTERN=^(?:[a-z]+-)*(?=a|(b))[^0-9]{2,}?(?(1)x|y)\\\\w$").encode(),
        (first + "JWKS_CACHE_TTL_SECONDS=60\nJWKS_MAX_AGE_SECONDS=59").encode(),
    ]


_WORDS = (
    *(f"{name}=" for name in VARIABLES),
    "https://",
    "http://",
    "[::1]",
    "localhost",
    "{uuid}",
    "{slug}",
    "{digits}",
)
TARGET = Target("settings", _prepare, _seeds, (*_WORDS, '"issuer":', '"audiences":', '"tenants":', '"*"', "[{", "}]"))
