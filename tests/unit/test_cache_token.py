"""Tokens for ElastiCache, compared with those that botocore signs."""

from __future__ import annotations

import calendar
import time
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tenantgate.cache_token import AwsCredentials, CredentialsMissing, cache_token, credentials_in
from tenantgate.cache_url import CacheUrl, parse_cache_url

SERVERLESS = "tenantgate-prod-a1b2c3.serverless.euc1.cache.amazonaws.com"
NODES = "master.tenantgate.a1b2c3.euc1.cache.amazonaws.com"
ROLE = ("ASIAEXAMPLE", "wJalr/XUtnFEMI+K7MDENG", "IQoJb3JpZ2luX2VjE//Token+/==")
USER = ("AKIAEXAMPLE", "secret", "")


def url(host: str = SERVERLESS, *, user: str = "tenantgate-web", region: str = "eu-central-1") -> CacheUrl:
    text = f"rediss://{user}@{host}:6379/0"
    return parse_cache_url(text, protection="verify-full", iam_cache="tenantgate-prod", region=region)


def botocores(at: CacheUrl, credentials: AwsCredentials) -> str:
    """Sign with botocore, as AWS's own examples do for ElastiCache."""
    parameters = {"Action": "connect", "User": at.user}
    if ".serverless." in at.host:
        parameters["ResourceType"] = "ServerlessCache"
    request = AWSRequest("GET", f"https://{at.iam_cache}/?{urlencode(parameters)}")
    key_id, secret, token = credentials
    SigV4QueryAuth(Credentials(key_id, secret, token or None), "elasticache", at.region, expires=900).add_auth(request)
    assert request.url is not None
    return str(request.url).removeprefix("https://")


def parts(token: str) -> tuple[str, str, dict[str, list[str]]]:
    split = urlsplit(f"//{token}")
    return split.netloc, split.path, parse_qs(split.query, strict_parsing=True)


@pytest.mark.parametrize("credentials", [pytest.param(ROLE, id="role"), pytest.param(USER, id="user")])
@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1", "cn-north-1"])
@pytest.mark.parametrize("host", [pytest.param(SERVERLESS, id="serverless"), pytest.param(NODES, id="nodes")])
def test_a_token_is_the_one_that_botocore_signs(host: str, region: str, credentials: AwsCredentials) -> None:
    at = url(host, region=region)
    expected = botocores(at, credentials)
    (moment,) = parts(expected)[2]["X-Amz-Date"]

    token = cache_token(at, credentials, now=calendar.timegm(time.strptime(moment, "%Y%m%dT%H%M%SZ")))

    assert parts(token) == parts(expected)


def test_a_token_is_for_one_user_cache_moment_and_secret() -> None:
    tokens = {
        cache_token(url(), ROLE, now=1_800_000_000),
        cache_token(url(), ROLE, now=1_800_000_001),
        cache_token(url(user="other"), ROLE, now=1_800_000_000),
        cache_token(url(), (ROLE[0], "other", ROLE[2]), now=1_800_000_000),
    }
    assert len({parts(token)[2]["X-Amz-Signature"][0] for token in tokens}) == 4
    assert not [token for token in tokens if ROLE[1] in token]


def test_credentials_are_those_of_the_environment() -> None:
    variables = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), ROLE, strict=True))

    assert credentials_in(variables) == ROLE
    assert credentials_in(dict(list(variables.items())[:2])) == (*ROLE[:2], "")
    assert credentials_in({**variables, "AWS_SECRET_ACCESS_KEY": ""}) is None
    with pytest.raises(CredentialsMissing):
        cache_token(url(), credentials_in({}))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param(f"rediss://app:canary@{SERVERLESS}", {}, id="with-a-password"),
        pytest.param(f"rediss://{SERVERLESS}", {}, id="without-a-user"),
        pytest.param(f"redis://app@{SERVERLESS}", {}, id="without-tls"),
        pytest.param(f"rediss://app@{SERVERLESS}/1", {}, id="another-database"),
        pytest.param(f"rediss://app@{SERVERLESS}", {"protection": "encrypted"}, id="server-not-verified"),
        pytest.param(f"rediss://app@{SERVERLESS}", {"protection": "encrypted", "relaxed": True}, id="in-development"),
        pytest.param(f"rediss://app@{SERVERLESS}", {"region": ""}, id="without-a-region"),
    ],
)
def test_only_a_verified_server_gets_a_token(text: str, named: dict[str, object]) -> None:
    given = {"protection": "verify-full", "iam_cache": "tenantgate-prod", "region": "eu-central-1", **named}
    with pytest.raises(ValueError, match="with REDIS_IAM_CACHE") as problem:
        parse_cache_url(text, **given)  # type: ignore[arg-type]
    assert "canary" not in str(problem.value)
