"""Read the JWT authorizers of a template.

    AWS::Serverless::HttpApi: Auth.Authorizers.X with JwtConfiguration, IdentitySource and AuthorizationScopes
    AWS::ApiGatewayV2::Authorizer with AuthorizerType JWT
    AWS::ApiGateway::Authorizer with Type JWT

https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-httpapi-oauth2authorizer.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigatewayv2-authorizer.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-authorizer.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from lambda_gateway.authorizers.jwt_tokens import ALGORITHMS, RSA_ALGORITHMS
from lambda_gateway.authorizers.key_sets import is_loopback
from lambda_gateway.model import ClaimRule, JwtAuthorizer, JwtIssuer, TemplateError
from lambda_gateway.template.values import boolean, mapping, strings

_HTTP_SOURCE = re.compile(r"\$request\.(header|querystring)\.[^.\s]+")
_REST_SOURCE = re.compile(r"method\.request\.header\.[^.\s]+")
_RESERVED_CLAIMS = {"iss", "aud", "exp", "nbf", "iat", "scope", "scp"}
_UNSUPPORTED_OF_REST = ("AuthorizerUri", "AuthorizerCredentials", "AuthorizerResultTtlInSeconds", "ProviderARNs")


def http_jwt_authorizer(name: str, configuration: object, source: object, where: str) -> JwtAuthorizer:
    """Read an HTTP API's authorizer. SAM accepts the members in lower case, too. Raises TemplateError."""
    given = {key.lower(): value for key, value in mapping(configuration, f"{where}.JwtConfiguration").items()}
    audiences = _texts(given.get("audience"), f"{where}.JwtConfiguration.Audience")
    issuer = JwtIssuer(_issuer(given.get("issuer"), f"{where}.JwtConfiguration.Issuer"), audiences)
    return JwtAuthorizer(name, _source(source, _HTTP_SOURCE, where), (issuer,), RSA_ALGORITHMS)


def rest_jwt_authorizer(name: str, given: Mapping[str, object], where: str) -> JwtAuthorizer:
    """Read a REST API's authorizer from its resolved properties. Raises TemplateError."""
    for unsupported in _UNSUPPORTED_OF_REST:
        if unsupported in given:
            raise TemplateError(f"{where}.{unsupported}: a JWT authorizer has no such property")
    place = f"{where}.JwtConfiguration"
    configuration = mapping(given.get("JwtConfiguration"), place)
    algorithms = _texts(configuration.get("DefaultAlgorithms"), f"{place}.DefaultAlgorithms")
    if unknown := sorted(set(algorithms) - set(ALGORITHMS)):
        raise TemplateError(f"{place}.DefaultAlgorithms: {', '.join(unknown)}: must be of {', '.join(ALGORITHMS)}")
    issuers = tuple(_rest_issuers(configuration.get("Issuers"), f"{place}.Issuers"))
    if len({issuer.url for issuer in issuers}) != len(issuers):
        raise TemplateError(f"{place}.Issuers: an issuer is listed twice")
    return JwtAuthorizer(name, _source(given.get("IdentitySource"), _REST_SOURCE, where), issuers, algorithms)


def _rest_issuers(given: object, where: str) -> Iterator[JwtIssuer]:
    if not isinstance(given, list) or not given:
        raise TemplateError(f"{where}: needs at least one issuer")
    for number, item in enumerate(given):
        place = f"{where}[{number}]"
        issuer = mapping(item, place)
        claims = issuer.get("AdditionalClaims") or []
        if not isinstance(claims, list):
            raise TemplateError(f"{place}.AdditionalClaims: must be a list")
        yield JwtIssuer(
            _issuer(issuer.get("Issuer"), f"{place}.Issuer"),
            _texts(issuer.get("Audiences"), f"{place}.Audiences"),
            tuple(_claim(claim, f"{place}.AdditionalClaims[{index}]") for index, claim in enumerate(claims)),
        )


def _claim(item: object, where: str) -> ClaimRule:
    given = mapping(item, where)
    name = given.get("ClaimName")
    if not isinstance(name, str) or not name or name in _RESERVED_CLAIMS:
        raise TemplateError(f"{where}.ClaimName: {name}: must name a claim that isn't checked anyway")
    if given.get("Format") != "SINGLE_STRING":
        raise TemplateError(f"{where}.Format: {given.get('Format')}: must be SINGLE_STRING")
    return ClaimRule(name, boolean(given.get("Required"), default=False), strings(given.get("ExpectedValues")))


def _issuer(value: object, where: str) -> str:
    """Return the issuer's URL. Only on this machine itself may it be without TLS, for a local provider."""
    url = str(value or "")
    parts = urlsplit(url)
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
    if not secure or not parts.hostname or parts.query or parts.fragment or parts.username is not None:
        raise TemplateError(f"{where}: {url or 'none'}: must be an https URL without query and fragment")
    return url


def _texts(value: object, where: str) -> tuple[str, ...]:
    found = strings(value)
    if not found or not all(found):
        raise TemplateError(f"{where}: needs at least one value")
    return found


def _source(value: object, pattern: re.Pattern[str], where: str) -> str:
    sources = strings(value)
    if len(sources) != 1 or not pattern.fullmatch(sources[0]):
        example = "$request.header.Authorization" if pattern is _HTTP_SOURCE else "method.request.header.Authorization"
        raise TemplateError(f"{where}.IdentitySource: {', '.join(sources) or 'none'}: must be like {example}")
    return sources[0]
