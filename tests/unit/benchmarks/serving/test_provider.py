"""The stand-in provider of the load generators."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlencode

import jwt
import pytest

from benchmarks.serving.messages import content_length
from benchmarks.serving.provider import Provider

pytestmark = pytest.mark.anyio


async def redeem(provider: Provider, **form: str) -> tuple[int, dict[str, str]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(provider.issuer.rpartition(":")[2]))
    body = urlencode(form).encode()
    writer.write(b"POST /token HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    head = await reader.readuntil(b"\r\n\r\n")
    read = await reader.readexactly(content_length(head))
    writer.close()
    await writer.wait_closed()
    return int(head[9:12]), json.loads(read)


def claims_of(token: str) -> dict[str, object]:
    claims: dict[str, object] = jwt.decode(token, options={"verify_signature": False})
    return claims


async def test_it_redeems_each_refresh_token_once_for_a_token_of_its_user_and_the_next_refresh_token() -> None:
    provider = Provider()
    async with provider.serving():
        token = provider.sign(7, "org-1").refresh_token or ""
        for _ in range(2):
            status, fields = await redeem(provider, grant_type="refresh_token", refresh_token=token)
            assert status == 200
            claims = claims_of(fields["access_token"])
            assert (claims["sub"], claims["tenant_id"], claims["iss"]) == ("user-7", "org-1", provider.issuer)
            assert (await redeem(provider, grant_type="refresh_token", refresh_token=token))[0] == 400
            token = fields["refresh_token"]
        assert provider.redeemed == 2


async def test_it_signs_in_its_users_in_turn_and_a_code_is_the_nonce() -> None:
    provider = Provider()
    async with provider.serving():
        provider.sign_in(1, "org-1")
        provider.sign_in(2, "org-2")
        responses = [
            (await redeem(provider, grant_type="authorization_code", code=f"n-{place}"))[1] for place in range(3)
        ]
    subjects = [(claims_of(each["access_token"])["sub"], claims_of(each["id_token"])["sub"]) for each in responses]
    assert subjects == [("user-1", "user-1"), ("user-2", "user-2"), ("user-1", "user-1")]
    assert [claims_of(each["id_token"])["nonce"] for each in responses] == ["n-0", "n-1", "n-2"]
