"""A provider of `docs/providers` on loopback: its documents under its host names, its tokens by keys of our own."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from dotenv import dotenv_values

from tenantgate.tokens.id_token import half_hash
from tenantgate_cli.generate.providers import Recipe, read_recipes
from tests.support.certificates import Authority
from tests.support.connect_proxy import ConnectProxy
from tests.support.tls_json import TlsJsonServer

RECIPES = read_recipes(Path(__file__).parents[2] / "docs" / "providers")

type PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
type Claims = dict[str, Any]


class RecipeProvider:
    """Signs and serves what the recipe says. `now` is the second that the tokens' times count from."""

    def __init__(self, recipe: Recipe, server: TlsJsonServer, *, now: int) -> None:
        self.recipe = recipe
        self.server = server
        self.now = now
        self.settings = settings_of(recipe.settings)
        discovery = recipe.discovery
        server.answers[_lower_host(self.discovery_url)] = discovery
        for key_set in recipe.data["key_sets"]:
            keys = [key | _material(key) for key in json.loads(key_set["keys"])]
            server.answers[_lower_host(key_set["url"])] = {"keys": keys}

    @property
    def discovery_url(self) -> str:
        well_known = self.settings["OIDC_ISSUER_URL"].removesuffix("/") + "/.well-known/openid-configuration"
        return self.settings.get("OIDC_DISCOVERY_URL", well_known)

    def access_token(self, variant: Mapping[str, Any] | None = None) -> str:
        """The recipe's access token, with the members that a variant changes; null takes one out."""
        token = self.recipe.data["access_token"]
        if "opaque" in token:
            return str(token["opaque"])
        return self._signed(token, variant or {}, {})

    def id_token(self, variant: Mapping[str, Any] | None = None, *, nonce: str, access_token: str) -> str:
        token = self.recipe.data["id_token"]
        alg = json.loads(token["header"])["alg"]
        return self._signed(token, variant or {}, {"nonce": nonce, "at_hash": half_hash(access_token, alg)})

    def answer_codes(self, *, nonce: str) -> None:
        """Have the token endpoint answer any code with these tokens."""
        access_token = self.access_token()
        url = str(self.recipe.discovery["token_endpoint"])
        self.server.answers[_lower_host(url)] = {
            "access_token": access_token,
            "id_token": self.id_token(nonce=nonce, access_token=access_token),
            "token_type": "Bearer",
            "expires_in": 3600,
        }

    def _signed(self, token: Mapping[str, str], variant: Mapping[str, Any], words: Mapping[str, str]) -> str:
        header = json.loads(variant.get("header", token["header"]))
        claims = {
            name: self._filled(value, words)
            for name, value in (json.loads(token["claims"]) | json.loads(variant.get("claims", "{}"))).items()
            if value is not None
        }
        signed = f"{_encoded(header)}.{_encoded(claims)}"
        key = b"an old secret that everybody shares" if header["alg"].startswith("HS") else _private_key(header["kid"])
        signature = jwt.get_algorithm_by_name(header["alg"]).sign(signed.encode(), key)
        return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"

    def _filled(self, value: object, words: Mapping[str, str]) -> object:
        if isinstance(value, dict):
            return {name: self._filled(item, words) for name, item in value.items()}
        if isinstance(value, list):
            return [self._filled(item, words) for item in value]
        if not isinstance(value, str):
            return value
        if (found := re.fullmatch(r"\{now([+-]\d+)?\}", value)) is not None:
            return self.now + int(found[1] or 0)
        return words.get(value.strip("{}"), value) if value.startswith("{") else value


def settings_of(text: str) -> dict[str, str]:
    """The variables of a recipe's block, read as a `.env` file is."""
    return {name: value for name, value in dotenv_values(stream=io.StringIO(text)).items() if value}


@contextmanager
def serving(recipe: Recipe, folder: Path, monkeypatch: pytest.MonkeyPatch, *, now: int) -> Iterator[RecipeProvider]:
    """The provider behind a proxy that leads all of its host names to one server here, with a certificate of theirs."""
    authority = Authority(folder)
    with (
        TlsJsonServer(authority.server(*sorted(_hosts(recipe))), {}) as server,
        ConnectProxy(server.port) as proxy,
    ):
        for name in ("https_proxy", "NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.place}")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        yield RecipeProvider(recipe, server, now=now)


def _hosts(recipe: Recipe) -> set[str]:
    urls = [recipe.discovery["token_endpoint"], settings_of(recipe.settings)["OIDC_ISSUER_URL"]]
    urls += [key_set["url"] for key_set in recipe.data["key_sets"]]
    return {str(urlsplit(str(url)).hostname) for url in urls}


def _lower_host(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.lower()).geturl()


@cache
def _pool(number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def _private_key(kid: str) -> PrivateKey:
    # Few, since making one takes a while; the keys of one set are told apart by the end of their names.
    return ec.generate_private_key(ec.SECP256R1()) if kid in _CURVE_KEYS else _pool(sum(kid.encode()) % 5)


_CURVE_KEYS = frozenset(
    key["kid"]
    for recipe in RECIPES
    for key_set in recipe.data["key_sets"]
    for key in json.loads(key_set["keys"])
    if key["kty"] == "EC"
)


def _material(key: Mapping[str, object]) -> dict[str, object]:
    """The public half of the key of this `kid`, as the provider publishes it."""
    private = _private_key(str(key["kid"]))
    name = "RS256" if isinstance(private, rsa.RSAPrivateKey) else "ES256"
    public: dict[str, object] = jwt.get_algorithm_by_name(name).to_jwk(private.public_key(), as_dict=True)
    return {member: public[member] for member in ("n", "e", "crv", "x", "y") if member in public}


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
