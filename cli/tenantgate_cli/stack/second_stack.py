"""`tenantgate dev --with`: another team's stack whose APIs our authorizer guards.

It gets none of our variables and secrets, only the exports of our template. Each of its APIs has its own loopback port,
as it has its own host name on AWS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lambda_gateway.model import Template, TemplateError, Unserved
from lambda_gateway.template.reader import read_template
from tenantgate_cli.stack.api_addresses import ApiAddress, with_addresses

RULES_FILE = "rules.toml"
RULES_VARIABLE = "ROUTE_RULES_FILE"
_GRAPHQL = (
    "check a token against its rules with tenantgate explain --token-file FILE --route 'POST /graphql' --api {name}; "
    "the event that AppSync sends to the authorizer is in tests/fixtures/authorizer/event_files/appsync.json"
)
# The alternative for each type of API that the gateway doesn't serve.
_REMEDIES = {
    "AWS::ApiGateway::RestApi": (
        "declare it as AWS::Serverless::Api, with Api events at its functions, or give it a JWT authorizer"
    ),
    "AWS::ApiGatewayV2::Api": (
        "declare it as AWS::Serverless::HttpApi, with HttpApi events at its functions, or give it a JWT authorizer"
    ),
    "AWS::AppSync::Api": "the authorizer doesn't support AppSync Events, only AppSync's GraphQL APIs",
    "AWS::AppSync::GraphQLApi": _GRAPHQL,
    "AWS::Serverless::GraphQLApi": _GRAPHQL,
}


class SecondStack:
    """The stack of the template at `path`. Its route rules are in `rules.toml` in the same folder."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._rules = self.path.with_name(RULES_FILE)
        self.note = ""

    def settings(self, ours: Mapping[str, str]) -> dict[str, str]:
        """Return the settings that our authorizer needs for this stack. A rules file in `ours` wins."""
        if ours.get(RULES_VARIABLE):
            return {}
        if not self._rules.is_file():
            self.note = f"{self._rules} is missing: no rule allows any guarded route of that stack"
            return {}
        self.note = ""
        return {RULES_VARIABLE: str(self._rules)}

    def joined(self, ours: Template, found: Sequence[ApiAddress] = ()) -> Template:
        """Return both templates as one. Raises TemplateError.

        `found` are the addresses of its APIs, once they are known.
        """
        theirs = read_template(self.path, after=ours)
        if not theirs.apis:
            lines = [f"{self.path}: has no API that is served here (AWS::Serverless::Api, HttpApi or WebSocketApi)"]
            lines += [f"{problem}: {remedy}" for problem, remedy in unserved(theirs.unserved)]
            raise TemplateError("\n  ".join(lines))
        return with_addresses(ours.joined(theirs), found, theirs.functions)


def unserved(apis: Sequence[Unserved]) -> Iterator[tuple[str, str]]:
    """Yield the problem and the remedy for each API that isn't served."""
    for api in apis:
        yield f"{api.name} ({api.type}) isn't served here", _REMEDIES[api.type].format(name=api.name)
