"""`docs/CONFIGURATION.md` and `.env.example`, from the settings model."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from pydantic.fields import FieldInfo

from tenantgate.settings.errors import SECRET_VARIABLES, SettingsError
from tenantgate.settings.model import Settings
from tenantgate.tokens.trusted_issuers import MEMBERS

_HEAD = """\
# Configuration

Every setting is an environment variable. A bad value stops start-up with one message that names every bad variable, its
value (never a secret's) and what to set instead. In development and test a `.env` file in the working directory is read
too; `.env.example` lists everything. [AUTH_CONFIGURATION.md](AUTH_CONFIGURATION.md) has the settings for each provider.

An unset `ENVIRONMENT` means production. "Required" means: in staging and production. Secrets come from AWS Secrets
Manager where `AWS_SECRETS_MANAGER_SECRET_ID` is set, read again every five minutes.

<!-- Written by `make docs` from layers/shared/tenantgate/settings/model.py -->

| variable | required | purpose | set by |
|---|---|---|---|
"""

_TRUSTED_ISSUERS = """\

## Members of `TRUSTED_ISSUERS`

A JSON list with one object for each issuer whose tokens are accepted. `claims.x` is the member `x` of the nested object
`claims`. Another member, or one of another form, stops start-up.

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

Discovery documents, key sets, the token endpoint and AWS are all reached the same way. Where `HTTPS_PROXY` (or
`https_proxy`, which wins) is set, each call tunnels through that proxy (`CONNECT`), so the proxy sees host and port
only. The form is `http://[user:password@]host[:port]`; the port is 80 unless it is written, and a reserved character
in user or password is percent-encoded. A proxy that is itself reached over TLS, or by SOCKS, is not supported: its
URL stops start-up, and where nothing checks at start-up (the authorizer), the first fetch reports the variable's
name.

`NO_PROXY` (or `no_proxy`, which wins) lists the exceptions, comma-separated: a host name stands for itself and all
names below it, `host:port` only for that port, `*` for everything. Address ranges are not understood. Loopback
addresses are never proxied. `HTTP_PROXY` and `ALL_PROXY` have no effect: plain http is only for loopback. boto3
(Secrets Manager, KMS, RDS) reads the same two variables in the same way. The database is not reached through a proxy.
Certificates are checked by the system's roots, or those that `SSL_CERT_FILE` names, for providers; boto3 has its own
(`AWS_CA_BUNDLE`).
"""

_SECRETS = """\

## Secrets

Members of the JSON object in Secrets Manager; outside AWS, environment variables of the same names.

| name | purpose |
|---|---|
| `OIDC_CLIENT_SECRET` | The relying party's client secret at the provider. |
| `COOKIE_SEALING_KEYS` | Keys that seal cookies and stored tokens: 32 random bytes each as base64url, \
comma-separated, newest first. A new key is put in front; an old one is taken out when what it sealed has expired. |

A key: `python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'`
"""


@dataclass(frozen=True, slots=True)
class Variable:
    """One row: what the settings model says of a variable."""

    name: str
    purpose: str
    required: str
    injected_by: str
    example: str


def variables() -> list[Variable]:
    """All variables in the model's order."""
    required = _required_variables()
    return [_variable(name, field, always=name.upper() in required) for name, field in Settings.model_fields.items()]


def _variable(name: str, field: FieldInfo, *, always: bool) -> Variable:
    extra = field.json_schema_extra
    assert isinstance(extra, dict)  # noqa: S101  (every field is made by `_setting`)
    return Variable(
        name=name.upper(),
        purpose=field.description or "",
        required="yes" if always else (str(extra["needed_by"]) and f"for {extra['needed_by']}") or "no",
        injected_by=str(extra["injected_by"]),
        example=str(extra["example"]),
    )


def _required_variables() -> frozenset[str]:
    # What production refuses to start without is asked of the model itself, so that this can't drift.
    try:
        Settings.from_mapping({"ENVIRONMENT": "production"})
    except SettingsError as error:
        return frozenset(error.problems)
    return frozenset()


def configuration_page() -> str:
    """The Markdown of `docs/CONFIGURATION.md`."""
    rows = [
        f"| `{v.name}` | {v.required} | {v.purpose.replace('|', chr(92) + '|')} | {v.injected_by} |"
        for v in variables()
    ]
    members = [f"| `{m.name}` | {m.form} | {m.default or 'required'} | {m.meaning} |" for m in MEMBERS]
    return _HEAD + "\n".join(rows) + "\n" + _TRUSTED_ISSUERS + "\n".join(members) + "\n" + _PROXIES + _SECRETS


def env_example() -> str:
    """The text of `.env.example`."""
    lines = [
        "# Every setting, for development: copy to .env and change what you need. `tenantgate dev` needs none of them.",
        "# Written by `make docs` from the settings model; explained in docs/CONFIGURATION.md.",
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
        lines += ["", "# A secret: in AWS it comes from Secrets Manager.", f"# {name}="]
    return "\n".join(lines) + "\n"
