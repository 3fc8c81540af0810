"""Secrets are issued and digested in one place. Other uses of randomness and of hash functions are listed here."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "layers" / "shared" / "tenantgate"
SHIPPED = [*PACKAGE.rglob("*.py"), *(ROOT / "functions").rglob("*.py")]

# `random` is refused by ruff (S311). Whole modules, or names of a module that has other uses too.
WATCHED: dict[str, set[str] | None] = {
    "secrets": None,
    "hashlib": None,
    "os": {"urandom", "getrandom"},
    "cryptography.hazmat.primitives.hashes": {"Hash"},
}
# Module to purpose. A secret whose digest is stored does not belong here: `crypto/opaque.py` issues it.
OTHER_USES = {
    "cache/client.py": "the names of scripts in Valkey",
    "cache_token.py": "signatures of requests to AWS",
    "context.py": "request ids",
    "crypto/comparison.py": "compares in constant time",
    "crypto/opaque.py": "opaque secrets",
    "crypto/envelopes.py": "nonces, salts and keyed digests of envelopes",
    "crypto/sealing.py": "nonces and key ids of sealed values",
    "data_keys/service.py": "data keys, which are stored in wrapped form",
    "data_keys/tasks.py": "data keys, which are stored in wrapped form",
    "database/own_login.py": "the name of a database role",
    "database/roles.py": "SCRAM verifiers of database roles",
    "identity/session_entry.py": "the names of keys in Valkey",
    "login/attempts/transactions.py": "state, nonce and PKCE verifier, stored sealed in the browser (RFC 6749, 7636)",
    "openid_provider/protocol/grants.py": "the PKCE challenge of a verifier (RFC 7636 §4.6)",
    "openid_provider/protocol/logout_tokens.py": "token ids, which are readable in the token (RFC 7519 §4.1.7)",
    "openid_provider/protocol/keys.py": "key ids, which are published",
    "openid_provider/protocol/access_tokens.py": "token ids, which are readable in the token (RFC 7519 §4.1.7)",
    "revoked/names.py": "the names of revoked things, which are public",
    "provider_copies/entry.py": "the names of keys in Valkey",
    "rate_limits/counters.py": "the names of keys in Valkey",
    "sessions/backchannel/service.py": "the ids of logout tokens that were seen",
    "signals/service.py": "the ids of security event tokens that were seen",
    "tokens/id_token.py": "at_hash (OpenID Connect Core §3.1.3.6)",
    "tokens/wiring.py": "when a key set is refreshed",
    "transparency/anchors/folder.py": "the names of temporary files",
    "transparency/anchors/objects.py": "the names of anchors, which are public",
    "transparency/notes.py": "the ids of verifier keys, which are public",
    "transparency/tree.py": "the hashes of the audit log",
    "web/pages/rendering.py": "nonces of a content security policy",
}


def uses(tree: ast.AST) -> Iterator[str]:
    """Everything watched that this module imports or reads from an imported module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if WATCHED.get(alias.name, ()) is None)
        elif isinstance(node, ast.ImportFrom) and node.module in WATCHED and node.level == 0:
            names = WATCHED[node.module]
            yield from (f"{node.module}.{alias.name}" for alias in node.names if names is None or alias.name in names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            for module, names in WATCHED.items():
                if names is not None and node.value.id == module.rpartition(".")[2] and node.attr in names:
                    yield f"{module}.{node.attr}"


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else ROOT))


@pytest.mark.parametrize("path", SHIPPED, ids=name_of)
def test_no_other_module_makes_secrets_or_digests(path: Path) -> None:
    found = set(uses(ast.parse(path.read_text(encoding="utf-8"))))

    assert bool(found) == (name_of(path) in OTHER_USES), found or "listed, but uses nothing that is watched"


def test_every_listed_module_exists() -> None:
    assert {name for name in OTHER_USES if not (PACKAGE / name).is_file()} == set()


@pytest.mark.parametrize(
    "source",
    [
        "import secrets",
        "def f():\n    from secrets import token_urlsafe",
        "import hashlib as h",
        "from hashlib import sha256",
        "import os\nos.urandom(32)",
        "from os import urandom",
        "from cryptography.hazmat.primitives.hashes import SHA256, Hash",
        "from cryptography.hazmat.primitives import hashes\nhashes.Hash(hashes.SHA256())",
    ],
)
def test_the_check_notices(source: str) -> None:
    assert list(uses(ast.parse(source)))


@pytest.mark.parametrize("source", ["import os\nos.getpid()", "from tenantgate.secrets import store", "import uuid"])
def test_the_check_leaves_the_rest(source: str) -> None:
    assert not list(uses(ast.parse(source)))
