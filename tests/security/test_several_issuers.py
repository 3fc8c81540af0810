"""Several trusted issuers at once: each is limited to its own entry.

Cognito's access tokens are special: they have `client_id` instead of `aud`, and `token_use`.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from moto import mock_aws

from tenantgate.authorizer.service import Authorizer
from tenantgate.errors.tokens import (
    AlgorithmNotAllowed,
    InvalidSignature,
    LifetimeTooLong,
    TenantMissing,
    TenantNotAllowed,
    TokenError,
    UnknownKey,
    WrongAudience,
    WrongTokenType,
)
from tenantgate.identity.bearer import BearerCredential
from tenantgate.identity.credential import Credentials
from tenantgate.identity.principal import Principal
from tenantgate.tokens.policy import token_policy
from tenantgate.tokens.wiring import token_verifier
from tests.fixtures.authorizer.events import SHAPES, authorizer_event
from tests.fixtures.authorizer.guarded import rules
from tests.fixtures.authorizer.integrations import client_status
from tests.fixtures.tokens.issuer import AUDIENCE, ISSUER, TENANT, good_claims, public_jwk, sign, sign_raw

ACME, ACME_TENANT = "https://acme.example.test", "org-0192f5a8-7c1e-7d3a-9b52-0000000000aa"
GLOBEX, GLOBEX_TENANT = "https://globex.example.test", "org-0192f5a8-7c1e-7d3a-9b52-0000000000bb"
POOL = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_aBcDeFgHi"
APP_CLIENT = "1h57kf5cpq17m0eml12EXAMPLE"


def _keys_file(folder: Path, name: str, *jwks: dict[str, object]) -> str:
    file = folder / f"{name}.json"
    file.write_text(json.dumps({"keys": jwks}))
    return str(file)


def _cognito_entry(keys: str, *, issuer: str = POOL, client: str = APP_CLIENT) -> dict[str, object]:
    return {
        "issuer": issuer,
        "audiences": [client],
        "audience_claims": ["client_id"],
        "token_use": ["access"],
        "algorithms": ["RS256"],
        "claims": {"tenant": ["custom:org", "tenant_id"], "scope": ["scope"]},
        "tenants": "*",
        "jwks_file": keys,
    }


def _credential(folder: Path, *entries: dict[str, object]) -> BearerCredential:
    policy = token_policy(
        {
            "OIDC_ISSUER_URL": ISSUER,
            "OIDC_AUDIENCE": AUDIENCE,
            "OIDC_JWKS_FILE": _keys_file(folder, "own", public_jwk("rsa-1")),
            "TRUSTED_ISSUERS": json.dumps(entries),
        }
    )
    return BearerCredential(token_verifier(policy), policy)


@pytest.fixture
def credential(tmp_path: Path) -> BearerCredential:
    """Build a credential for our provider (all tenants), two customers' providers (one tenant each) and a user pool.

    Each publishes a key under the same `kid`.
    """
    acme: dict[str, object] = {
        "issuer": ACME,
        "audiences": ["acme-api"],
        "algorithms": ["RS256"],
        "scopes": ["orders:read"],
        "tenants": [ACME_TENANT],
        "jwks_file": _keys_file(tmp_path, "acme", {**public_jwk("rsa-acme"), "kid": "k1"}),
    }
    globex: dict[str, object] = {
        "issuer": GLOBEX,
        "audiences": ["globex-api"],
        "algorithms": ["ES256"],
        "scopes": "*",
        "claims": {"user_id": "uid", "tenant": ["https://globex.example.test/org"], "scope": ["permissions"]},
        "tenants": [GLOBEX_TENANT],
        "jwks_file": _keys_file(tmp_path, "globex", {**public_jwk("p256-globex"), "kid": "k1"}),
    }
    pool = _cognito_entry(_keys_file(tmp_path, "pool", {**public_jwk("rsa-pool"), "kid": "k1", "alg": "RS256"}))
    return _credential(tmp_path, acme, globex, pool)


@pytest.fixture
def authorizer(credential: BearerCredential) -> Authorizer:
    return Authorizer(Credentials(credential), rules())


def _sent(signer: str, alg: str = "RS256", /, **claims: object) -> str:
    """Sign with this key under the `kid` that every issuer uses."""
    whole = good_claims(int(time.time()), **claims)
    head = json.dumps({"alg": alg, "kid": "k1", "typ": "at+jwt"})
    return sign_raw(head, json.dumps(whole), alg, signer)


def acme(**claims: object) -> str:
    return _sent("rsa-acme", **{"iss": ACME, "aud": "acme-api", "tenant_id": ACME_TENANT, **claims})


def globex(**claims: object) -> str:
    own: dict[str, object] = {"iss": GLOBEX, "aud": "globex-api", "uid": "g-7", "tenant_id": None, "scope": None}
    own |= {"https://globex.example.test/org": GLOBEX_TENANT, "permissions": ["orders:read"]}
    return _sent("p256-globex", "ES256", **{**own, **claims})


def cognito(**claims: object) -> str:
    """Sign an access token in the documented format, with the tenant from a pre-token-generation trigger (V2)."""
    now = int(time.time())
    own: dict[str, object] = {
        "iss": POOL,
        "sub": "c2f5d4e3-30c1-70ab-9f0b-2a6d1e8f7c55",
        "client_id": APP_CLIENT,
        "aud": None,
        "token_use": "access",
        "version": 2,
        "username": "maria",
        "cognito:groups": ["clerks"],
        "auth_time": now - 5,
        "origin_jti": "5b9f50a3-05da-454a-8b99-b79c2349de77",
        "event_id": "f3a1b2c4-6f1e-4a55-8a9b-0e7d0c6b5a43",
        "scope": "orders:read aws.cognito.signin.user.admin",
        "tenant_id": None,
        "custom:org": GLOBEX_TENANT,
    }
    return _sent("rsa-pool", **{**own, **claims})


@pytest.mark.parametrize(
    ("token", "user", "tenant"),
    [
        pytest.param(lambda: sign(good_claims(int(time.time()))), "user-1", TENANT, id="own"),
        pytest.param(acme, "user-1", ACME_TENANT, id="acme"),
        pytest.param(globex, "g-7", GLOBEX_TENANT, id="globex-claims-mapped"),
        pytest.param(cognito, "c2f5d4e3-30c1-70ab-9f0b-2a6d1e8f7c55", GLOBEX_TENANT, id="cognito"),
    ],
)
@pytest.mark.parametrize("shape", SHAPES)
def test_each_issuers_own_token_passes_everywhere(
    shape: str, token: Any, user: str, tenant: str, *, authorizer: Authorizer
) -> None:
    event = authorizer_event(shape, token())
    response: Any = authorizer.decide(event)
    assert client_status(shape, event, lambda: response) == 200
    principal = Principal.from_context(response["resolverContext" if shape == "appsync" else "context"])
    assert (principal.user_id, principal.tenant_id) == (user, tenant)
    assert "orders:read" in principal.scopes


@pytest.mark.parametrize(
    ("token", "error"),
    [
        pytest.param(lambda: acme(tenant_id=GLOBEX_TENANT), TenantNotAllowed, id="another-issuers-tenant"),
        pytest.param(lambda: acme(tenant_id=TENANT), TenantNotAllowed, id="our-own-tenant"),
        pytest.param(
            lambda: acme(tenant_id=None, organization_id=GLOBEX_TENANT), TenantNotAllowed, id="by-another-claim"
        ),
        pytest.param(
            lambda: globex(**{"https://globex.example.test/org": None}, tenant_id=GLOBEX_TENANT),
            TenantMissing,
            id="not-by-its-own-claim",
        ),
        pytest.param(lambda: acme(iss=GLOBEX), AlgorithmNotAllowed, id="claims-another-issuer"),
        pytest.param(
            lambda: _sent("p256-acme", "ES256", iss=GLOBEX), InvalidSignature, id="with-the-other-issuers-algorithm"
        ),
        pytest.param(lambda: acme(iss=POOL, client_id=APP_CLIENT, token_use="access"), InvalidSignature, id="same-kid"),
        pytest.param(lambda: acme(iss=ISSUER, aud=AUDIENCE), UnknownKey, id="claims-our-issuer"),
        pytest.param(lambda: acme(aud="globex-api"), WrongAudience, id="another-issuers-audience"),
        pytest.param(lambda: acme(aud=AUDIENCE), WrongAudience, id="our-own-audience"),
        pytest.param(lambda: _sent("p256-globex", "ES256", iss=ACME), AlgorithmNotAllowed, id="its-algorithm"),
        pytest.param(lambda: cognito(token_use="id", aud=APP_CLIENT), WrongTokenType, id="cognito-id-token"),
        pytest.param(lambda: cognito(client_id="another-client"), WrongAudience, id="cognito-another-client"),
        pytest.param(lambda: cognito(aud="billing-api"), WrongAudience, id="cognito-client-right-audience-wrong"),
        pytest.param(lambda: cognito(**{"custom:org": None}), TenantMissing, id="cognito-without-trigger"),
        pytest.param(lambda: cognito(exp=int(time.time()) + 86400), LifetimeTooLong, id="cognito-a-day-long"),
    ],
)
@pytest.mark.parametrize("shape", ["rest-token", "http-2.0"])
def test_no_issuer_acts_for_another(
    shape: str, token: Any, error: type[TokenError], *, credential: BearerCredential, authorizer: Authorizer
) -> None:
    sent = token()
    with pytest.raises(error) as failure:
        credential.principal(sent)
    assert type(failure.value) is error
    event = authorizer_event(shape, sent)
    status = client_status(shape, event, lambda: authorizer.decide(event))
    assert status == (403 if failure.value.error.code == "AUTH_005" else 401)


@pytest.fixture
def user_pool(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Create a user pool of moto, which signs real tokens; return issuer, client, tokens and key set."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        cognito = boto3.client("cognito-idp", "eu-central-1")
        pool = cognito.create_user_pool(PoolName="people")["UserPool"]["Id"]
        client = cognito.create_user_pool_client(
            UserPoolId=pool, ClientName="app", ExplicitAuthFlows=["ADMIN_NO_SRP_AUTH"]
        )["UserPoolClient"]["ClientId"]
        cognito.admin_create_user(UserPoolId=pool, Username="maria", TemporaryPassword="Temporary-1")
        cognito.admin_set_user_password(UserPoolId=pool, Username="maria", Password="Lasting-word-2", Permanent=True)
        tokens = cognito.admin_initiate_auth(
            UserPoolId=pool,
            ClientId=client,
            AuthFlow="ADMIN_NO_SRP_AUTH",
            AuthParameters={"USERNAME": "maria", "PASSWORD": "Lasting-word-2"},
        )["AuthenticationResult"]
        issuer = f"https://cognito-idp.eu-central-1.amazonaws.com/{pool}"
        keys = requests.get(f"{issuer}/.well-known/jwks.json", timeout=5).text
    return {
        "issuer": issuer,
        "client": client,
        "access": tokens["AccessToken"],
        "id": tokens["IdToken"],
        "keys": keys,
    }


def test_tokens_that_a_user_pool_signed(user_pool: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(user_pool["keys"])
    entry = _cognito_entry(str(file), issuer=user_pool["issuer"], client=user_pool["client"])
    credential = _credential(tmp_path, entry)

    # Only the tenant is missing, which needs a trigger of a paid tier: the signature and all earlier checks pass.
    with pytest.raises(TenantMissing):
        credential.principal(user_pool["access"])
    with pytest.raises(WrongTokenType):
        credential.principal(user_pool["id"])
    header, payload, signature = user_pool["access"].split(".")
    with pytest.raises(InvalidSignature):
        credential.principal(f"{header}.{payload}.{signature[:-6]}AAAAAA"[: len(user_pool["access"])])
    # A pool for one tenant needs no trigger: here the user's name serves as the tenant, with its own pattern.
    entry |= {"claims": {"tenant": ["username"]}, "tenants": ["maria"], "scopes": "*"}
    policy = token_policy({"TRUSTED_ISSUERS": json.dumps([entry]), "TENANT_ID_PATTERN": "{slug}"})
    principal = BearerCredential(token_verifier(policy), policy).principal(user_pool["access"])
    assert (principal.issuer, principal.tenant_id) == (user_pool["issuer"], "maria")
    assert principal.scopes == {"aws.cognito.signin.user.admin"}
