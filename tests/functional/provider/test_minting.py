"""`tenantgate token`'s tokens, minted for a stack on a real PostgreSQL, and the stacks that it refuses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import anyio
import httpx2
import jwt
import pytest

from tenantgate.database.pool import LAMBDA_POOL, PooledDatabase
from tenantgate.openid_provider.storage.demo import PERSONAS
from tenantgate.openid_provider.storage.repository import KeyRepository
from tenantgate_cli.console import Failure
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.minting import MintedToken, mint
from tenantgate_cli.stack.token_request import Wanted
from tests.fixtures.browsers.built_in_provider import authorize, form_of, parameters, submit
from tests.fixtures.providers.built_in import AUDIENCE, CLIENT_ID, query_of, sealing_key, token_request
from tests.fixtures.providers.built_in_app import provider_client

pytestmark = pytest.mark.anyio

# https, so that the client's cookie jar keeps `Secure` cookies.
LOCAL_URL = "https://localhost:3000"
CALLBACK = f"{LOCAL_URL}/api/v1/auth/callback"
ADMIN, MEMBER, OUTSIDER = PERSONAS

type RunningFolder = Callable[..., AbstractContextManager[DataFolder]]


@pytest.fixture
def local(variables: dict[str, str]) -> dict[str, str]:
    return {**variables, "PUBLIC_BASE_URL": LOCAL_URL, "ALLOWED_ORIGINS": LOCAL_URL}


@pytest.fixture
async def client(local: dict[str, str]) -> AsyncIterator[httpx2.AsyncClient]:
    async with provider_client(local) as client:
        yield client


@pytest.fixture
def running(local: dict[str, str], tmp_path: Path) -> RunningFolder:
    """Return a context that publishes a stack in a data folder, with `changes` to its settings."""

    @contextmanager
    def run(*, keys: str = local["COOKIE_SEALING_KEYS"], **changes: str) -> Iterator[DataFolder]:
        folder = DataFolder(tmp_path)
        secrets = {"OIDC_CLIENT_SECRET": local["OIDC_CLIENT_SECRET"], "COOKIE_SEALING_KEYS": keys}
        (tmp_path / "secrets.json").write_text(json.dumps(secrets))
        with folder.held():
            folder.publish(url=LOCAL_URL, owner_url="")
            folder.publish_settings({**{n: v for n, v in local.items() if n not in secrets}, **changes})
            yield folder

    return run


async def minted(folder: DataFolder, wanted: Wanted | None = None) -> MintedToken:
    return await anyio.to_thread.run_sync(mint, folder, wanted or Wanted())


def decoded(token: str) -> tuple[Mapping[str, object], dict[str, object]]:
    claims: dict[str, object] = jwt.decode(token, options={"verify_signature": False})
    return jwt.get_unverified_header(token), claims


async def test_a_minted_token_has_the_form_of_one_from_the_token_endpoint(
    client: httpx2.AsyncClient, running: RunningFolder
) -> None:
    form = form_of((await authorize(client, parameters(redirect_uri=CALLBACK))).text)
    code = query_of((await submit(client, form)).headers["location"])["code"]
    issued = await client.post("/idp/token", data=dict(token_request(code, redirect_uri=CALLBACK).values))
    with running() as folder:
        token = await minted(folder)

    header, claims = decoded(issued.json()["access_token"])
    own_header, own = decoded(token.access_token)
    assert own_header == header
    # The tokens differ only in their id and times.
    for name in ("jti", "iat", "exp", "auth_time"):
        assert isinstance(own.pop(name), type(claims.pop(name)))
    assert own == claims
    assert token.access_token not in repr(token)


async def test_the_provider_accepts_a_minted_token_with_its_scopes(
    client: httpx2.AsyncClient, running: RunningFolder
) -> None:
    with running() as folder:
        token = await minted(folder, Wanted(user=MEMBER.email, scopes=["openid email orders:read"], expires="5m"))
    keys = jwt.PyJWKSet.from_dict((await client.get("/idp/jwks")).json())
    header, _ = decoded(token.access_token)
    claims = jwt.decode(
        token.access_token,
        keys[str(header["kid"])],
        algorithms=["RS256"],
        audience=AUDIENCE,
        issuer=f"{LOCAL_URL}/idp",
    )
    assert (claims["sub"], claims["tenant_id"], claims["client_id"]) == (MEMBER.id, MEMBER.tenant_id, CLIENT_ID)
    assert (claims["scope"], claims["roles"]) == ("openid email orders:read", ["member"])
    assert claims["exp"] - claims["iat"] == 300
    assert claims["exp"] == token.expires_at
    userinfo = await client.get("/idp/userinfo", headers={"authorization": f"Bearer {token.access_token}"})
    assert userinfo.json()["email"] == MEMBER.email


async def test_an_expired_token_is_refused(client: httpx2.AsyncClient, running: RunningFolder) -> None:
    with running() as folder:
        token = await minted(folder, Wanted(expires="-5m"))
    _, claims = decoded(token.access_token)
    assert isinstance(claims["iat"], int)
    assert claims["exp"] == claims["iat"] + 3600
    refused = await client.get("/idp/userinfo", headers={"authorization": f"Bearer {token.access_token}"})
    assert refused.status_code == 401


async def test_a_token_has_exactly_the_given_tenant_and_roles(running: RunningFolder) -> None:
    with running() as folder:
        token = await minted(folder, Wanted(tenant="other", roles=["clerk"]))
    _, claims = decoded(token.access_token)
    assert (claims["tenant_id"], claims["roles"]) == (OUTSIDER.tenant_id, ["clerk"])


async def test_a_stack_that_accepts_only_short_tokens_gets_them(running: RunningFolder) -> None:
    with running(JWT_MAX_LIFETIME_MINUTES="10") as folder:
        _, claims = decoded((await minted(folder)).access_token)
        with pytest.raises(Failure) as failure:
            await minted(folder, Wanted(expires="11m"))
    assert isinstance(claims["iat"], int)
    assert claims["exp"] == claims["iat"] + 600
    assert str(failure.value) == "--expires 11m is longer than the stack accepts: 10m"


async def test_without_scopes_a_token_has_those_of_a_sign_in(running: RunningFolder) -> None:
    with running(OIDC_SCOPES="orders:read orders:write") as folder:
        _, claims = decoded((await minted(folder, Wanted(user=MEMBER.email))).access_token)
    assert claims["scope"] == "openid orders:read"


async def test_commands_that_run_at_once_on_a_new_stack_make_one_key(
    local: dict[str, str], running: RunningFolder
) -> None:
    database = PooledDatabase(local["DATABASE_URL"], pool=LAMBDA_POOL)
    for key in await KeyRepository(database).load():
        await KeyRepository(database).remove(key.kid)
    with running() as folder, ThreadPoolExecutor(3) as threads:
        tokens = await anyio.to_thread.run_sync(lambda: list(threads.map(lambda _: mint(folder, Wanted()), range(3))))
    stored = await KeyRepository(database).load()
    await database.dispose()
    assert len({decoded(token.access_token)[0]["kid"] for token in tokens}) == 1
    assert decoded(tokens[0].access_token)[0]["kid"] in [key.kid for key in stored]
    assert len({decoded(token.access_token)[1]["jti"] for token in tokens}) == 3


async def test_another_sealing_key_removes_no_key_of_the_stack(
    client: httpx2.AsyncClient, running: RunningFolder
) -> None:
    published = (await client.get("/idp/jwks")).json()
    with running(keys=sealing_key()) as folder, pytest.raises(Failure) as failure:
        await minted(folder)
    assert str(failure.value) == "the stack's signing keys were sealed with another key"
    assert failure.value.remedy == "start the stack again: make dev"
    with running() as folder:
        header, _ = decoded((await minted(folder)).access_token)
    assert header["kid"] in [key["kid"] for key in published["keys"]]


REFUSED = [
    pytest.param(
        {"OIDC_ISSUER_URL": "https://login.example.com"},
        "the stack's provider is https://login.example.com, and only that provider can issue its tokens",
        "tenantgate token --browser --data-dir DATA   (signs in with your browser)",
        id="another-provider",
    ),
    pytest.param(
        {"PUBLIC_BASE_URL": "https://auth.example.test", "ALLOWED_ORIGINS": "https://auth.example.test"},
        "tokens are minted only for a development stack on this machine, not for https://auth.example.test",
        "sign in with a browser: https://auth.example.test/api/v1/auth/login",
        id="not-on-this-machine",
    ),
    pytest.param(
        {"ENVIRONMENT": "test", "OIDC_ISSUER_URL": f"{LOCAL_URL}/idp"},
        f"tokens are minted only for a development stack on this machine, not for {LOCAL_URL}",
        f"sign in with a browser: {LOCAL_URL}/api/v1/auth/login",
        id="not-development",
    ),
    pytest.param(
        {"DATABASE_URL": "postgresql://user:canary@127.0.0.1:9/none"},
        "the stack's database can't be reached",
        "start the stack again: make dev",
        id="no-database",
    ),
]


@pytest.mark.parametrize(("changes", "problem", "remedy"), REFUSED)
async def test_refuses_other_stacks_with_words(
    running: RunningFolder, changes: dict[str, str], problem: str, remedy: str
) -> None:
    with running(**changes) as folder, pytest.raises(Failure) as failure:
        await minted(folder)
    assert str(failure.value) == problem
    assert failure.value.remedy == remedy.replace("DATA", folder.shown())


async def test_refuses_a_stack_of_a_version_that_published_no_settings(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    with folder.held():
        folder.publish(url=LOCAL_URL)
        with pytest.raises(Failure) as failure:
            await minted(folder)
    assert (str(failure.value), failure.value.remedy) == (
        "the running stack was started by another version of Tenantgate",
        "start the stack again: make dev",
    )


async def test_refuses_when_no_stack_is_running(tmp_path: Path) -> None:
    with pytest.raises(Failure) as failure:
        await minted(DataFolder(tmp_path))
    assert (str(failure.value), failure.value.remedy) == (
        "no stack is running here",
        "make dev   (in another terminal)",
    )
