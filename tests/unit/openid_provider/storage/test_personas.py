"""Mistakes in `personas.toml`, each with its words."""

import pytest

from tenantgate.openid_provider.storage.personas import PersonasError, parse_personas

HEAD = 'password = "p"\n[tenants]\ndemo = "org-1"\nother = "org-2"\n'
ENTRY = {
    "id": '"6f0a4b86-55e5-4f5c-9a0e-2f7f0d4f6c11"',
    "name": '"Demo Admin"',
    "email": '"Demo@example.test"',
    "tenants": '["other", "demo"]',
    "roles": '["admin"]',
    "scopes": '["orders:read"]',
}


def persona(**changes: str) -> str:
    return "[[persona]]\n" + "\n".join(f"{name} = {value}" for name, value in {**ENTRY, **changes}.items()) + "\n"


OTHER = persona(id='"b7d94c02-1f6a-4e38-8c5b-90ad3e61f724"', name='"B"', email='"b@example.test"')


def test_reads_personas_in_order_and_their_tenants_in_theirs() -> None:
    password, (first, second) = parse_personas(HEAD + persona() + OTHER)
    assert (password, first.name, second.name) == ("p", "Demo Admin", "B")
    assert first.tenants == {"other": "org-2", "demo": "org-1"}
    assert first.tenant_id == "org-2"
    assert (first.roles, first.scopes) == (("admin",), ("orders:read",))
    # Sign-in compares e-mails in lower case.
    assert first.email == "demo@example.test"
    assert (first.claims["given_name"], first.claims["family_name"]) == ("Demo", "Admin")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            "password = ",
            "it is not TOML: Invalid value (at end of document)",
            id="not-toml",
        ),
        pytest.param("", "password must be a text", id="empty"),
        pytest.param("password = 1", "password must be a text", id="number-as-password"),
        pytest.param('password = "p"', '[tenants] must name at least one tenant: demo = "org-…"', id="no-tenants"),
        pytest.param(
            'password = "p"\n[tenants]\na = 1',
            '[tenants] must name at least one tenant: demo = "org-…"',
            id="number-as-tenant",
        ),
        pytest.param(HEAD, "there must be at least one [[persona]]", id="no-persona"),
        pytest.param('persona = ["x"]\n' + HEAD, "[[persona]] 1 must be a table", id="text-as-persona"),
        pytest.param(HEAD + persona(name="1"), "[[persona]] 1: name must be a text", id="number-as-name"),
        pytest.param(HEAD + persona(name='" "'), "[[persona]] 1: name must be a text", id="blank-name"),
        pytest.param(
            HEAD + persona(email='"a\\u001bb"'), "[[persona]] 1: email must be a text", id="control-character"
        ),
        pytest.param(
            HEAD + persona() + OTHER.replace('roles = ["admin"]', 'roles = "admin"'),
            "[[persona]] 2: roles must be a list of texts",
            id="text-as-roles",
        ),
        pytest.param(
            HEAD + persona(scopes="[1]"), "[[persona]] 1: scopes must be a list of texts", id="number-as-scope"
        ),
        pytest.param(HEAD + persona(scope='["x"]'), "[[persona]] 1: 'scope' is not known here", id="misspelled"),
        pytest.param(
            HEAD + persona(tenants="[]"), "[[persona]] 1: tenants must name at least one tenant", id="no-tenant"
        ),
        pytest.param(
            HEAD + persona(tenants='["nowhere"]'),
            "[[persona]] 1: the tenant 'nowhere' is not in [tenants]",
            id="unknown-tenant",
        ),
        pytest.param(
            HEAD + persona(scopes='["orders:read orders:write"]'),
            "[[persona]] 1: 'orders:read orders:write' is not a scope (RFC 6749 §3.3)",
            id="two-scopes-in-one",
        ),
        pytest.param(
            HEAD + persona() + OTHER.replace("b@example.test", "DEMO@example.test"),
            "two personas have the email 'demo@example.test'",
            id="same-email",
        ),
        pytest.param(
            HEAD + persona() + persona(),
            "two personas have the id '6f0a4b86-55e5-4f5c-9a0e-2f7f0d4f6c11'",
            id="same-id",
        ),
    ],
)
def test_a_mistake_has_its_words(text: str, words: str) -> None:
    with pytest.raises(PersonasError) as error:
        parse_personas(text)
    assert str(error.value) == words


def test_an_id_of_another_form_is_reported_with_one_to_use() -> None:
    with pytest.raises(PersonasError, match=r"\A\[\[persona\]\] 1: id must be a UUID, such as [0-9a-f-]{36}\Z"):
        parse_personas(HEAD + persona(id='"admin"'))
