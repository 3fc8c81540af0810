"""Write `docs/CONFIGURATION.md` and `.env.example` from the settings model."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from pydantic.fields import FieldInfo

from tenantgate.settings.errors import SECRET_VARIABLES, SettingsError
from tenantgate.settings.model import Settings
from tenantgate.tokens.trusted_issuers import MEMBERS

_HEAD = """\
# Configuration

Every setting is an environment variable. An invalid value prevents the start, with one message that lists every invalid
variable, its value (never a secret's) and the fix. In development and test, a `.env` file in the working directory is
read too; `.env.example` lists all settings. Names that are close to a setting's (`OIDC_ISUER_URL`), and secrets that
have no effect, are noted: on the terminal by `tenantgate dev` and `serve`, otherwise in the log.
[AUTH_CONFIGURATION.md](AUTH_CONFIGURATION.md) has the settings for each provider.

An unset `ENVIRONMENT` means production. "Required" means required in staging and production. If
`AWS_SECRETS_MANAGER_SECRET_ID` is set, secrets come from AWS Secrets Manager and are read again every five minutes.

<!-- Written by `make docs` from layers/shared/tenantgate/settings/model.py -->

| variable | required | purpose | set by |
|---|---|---|---|
"""

_TRUSTED_ISSUERS = """\

## Members of `TRUSTED_ISSUERS`

A JSON list with one object for each issuer whose tokens are accepted. `claims.x` is the member `x` of the nested object
`claims`. An unknown member, or one of another form, prevents the start.

```json
[{"issuer": "https://login.example.com", "audiences": ["https://api.example.com"], "tenants": "*",
  "claims": {"tenant": ["org_id"]}}]
```

<!-- Written by `make docs` from layers/shared/tenantgate/tokens/trusted_issuers.py -->

| member | form | default | meaning |
|---|---|---|---|
"""

_PROXIES = """\

## Outward calls and proxies

All calls to providers (discovery documents, key sets, the token endpoint) and to AWS use the same proxy. If
`HTTPS_PROXY` (or `https_proxy`, which wins) is set, each call goes through a tunnel of that proxy (`CONNECT`), so that
the proxy sees only host and port. The form is `http://[user:password@]host[:port]`. The default port is 80; reserved
characters in user and password are percent-encoded. Proxies over TLS or SOCKS are not supported: such a URL prevents
the start. The authorizer checks nothing at its start; there, the first fetch reports the variable's name.

`NO_PROXY` (or `no_proxy`, which wins) lists the exceptions, separated by commas: a host name matches itself and all
names below it, `host:port` only that port, `*` everything. Address ranges are not supported. Calls to loopback
addresses never use the proxy. `HTTP_PROXY` and `ALL_PROXY` have no effect: plain http is only for loopback. boto3
(Secrets Manager, KMS, RDS) reads the same two variables in the same way. The database connection doesn't use the
proxy. Certificates of providers are checked against the system's roots, or those in `SSL_CERT_FILE`; boto3 has its
own variable (`AWS_CA_BUNDLE`).
"""

_SECRETS = """\

## Secrets

Members of the JSON object in Secrets Manager. Outside AWS, environment variables with the same names.

| name | purpose |
|---|---|
| `OIDC_CLIENT_SECRET` | The relying party's client secret at the provider. |
| `COOKIE_SEALING_KEYS` | Keys that seal cookies, and without a key-encryption key stored tokens: 32 random \
bytes each as base64url, comma-separated, newest first. To rotate, add a new key at the front, and remove an old one \
when the values that it sealed have expired. |
| `KEY_ENCRYPTION_KEYS` | Keys that wrap the data keys of data at rest, in the same form, newest first; without \
`KEY_ENCRYPTION_KMS_KEYS`. Remove an old one only after `tenantgate data-keys rewrap`. |
| `AUDIT_SIGNING_KEYS` | Keys that sign the checkpoints of the audit log (Ed25519), in the same form, newest first; \
without `AUDIT_SIGNING_KMS_KEY`. The newest signs, each verifies: never remove one. |
| `EVENT_POLL_AUTHORIZATION` | Only for issuers with `event_poll_url`: a JSON object from each issuer to the value of \
the header `Authorization` for its poll endpoint, such as `{"https://login.example.com": "Bearer …"}`. |

`tenantgate keys new` prints a new key; without a checkout,
`python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'` does.
[OPERATIONS.md](OPERATIONS.md) has the rotation.
"""


@dataclass(frozen=True, slots=True)
class Variable:
    """One row of the table: a variable of the settings model."""

    name: str
    purpose: str
    required: str
    injected_by: str
    example: str


def variables() -> list[Variable]:
    """Return all variables in the model's order."""
    required = _required_variables()
    return [_variable(name, field, always=name.upper() in required) for name, field in Settings.model_fields.items()]


def _variable(name: str, field: FieldInfo, *, always: bool) -> Variable:
    extra = field.json_schema_extra
    assert isinstance(extra, dict)  # noqa: S101  (`_setting` creates every field)
    return Variable(
        name=name.upper(),
        purpose=field.description or "",
        required="yes" if always else (str(extra["needed_by"]) and f"for {extra['needed_by']}") or "no",
        injected_by=str(extra["injected_by"]),
        example=str(extra["example"]),
    )


def _required_variables() -> frozenset[str]:
    # The model itself reports the variables that production requires, so that the page can't differ from it.
    try:
        Settings.from_mapping({"ENVIRONMENT": "production"})
    except SettingsError as error:
        return frozenset(error.problems)
    return frozenset()


def configuration_page() -> str:
    """Return `docs/CONFIGURATION.md`."""
    rows = [
        f"| `{v.name}` | {v.required} | {v.purpose.replace('|', chr(92) + '|')} | {v.injected_by} |"
        for v in variables()
    ]
    members = [f"| `{m.name}` | {m.form} | {m.default or 'required'} | {m.meaning} |" for m in MEMBERS]
    return _HEAD + "\n".join(rows) + "\n" + _TRUSTED_ISSUERS + "\n".join(members) + "\n" + _PROXIES + _SECRETS


def env_example() -> str:
    """Return `.env.example`."""
    lines = [
        "# All settings, with values for development: copy this to .env and change it. `tenantgate dev` requires none.",
        "# Written by `make docs` from the settings model. docs/CONFIGURATION.md explains the settings.",
    ]
    for v in variables():
        state = "optional" if v.required == "no" else f"required in staging and production: {v.required}"
        lines += [
            "",
            *textwrap.wrap(
                f"{v.purpose} ({state}; set by: {v.injected_by})", 110, initial_indent="# ", subsequent_indent="# "
            ),
        ]
        lines.append(f"{v.name}={v.example}" if v.example else f"# {v.name}=")
    for name in sorted(SECRET_VARIABLES - {v.name for v in variables()}):
        lines += ["", "# A secret. In AWS, it comes from Secrets Manager.", f"# {name}="]
    return "\n".join(lines) + "\n"
