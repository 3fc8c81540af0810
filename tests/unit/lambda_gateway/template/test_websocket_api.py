"""The WebSocket APIs that the gateway reads from a template, in CloudFormation's form and in SAM's."""

from pathlib import Path

import pytest

from lambda_gateway.model import Api, Authorizer, Kind, Payload, Template, TemplateError, Unserved
from lambda_gateway.template.reader import read_template
from tests.fixtures.gateway.project import HEAD as HTTP_HEAD
from tests.fixtures.gateway.project import function_resource, write_project
from tests.fixtures.gateway.websockets import ACCEPT, BEHIND_GATE, HEAD, authorizer, functions, route

GUARDED = (
    HEAD
    + authorizer("Guard", ["route.request.header.Authorization", "route.request.querystring.room"])
    + route("Connect", "$connect", "Chat1", BEHIND_GATE)
    + route("Send", "send", "Chat1", responds=True)
    + route("Quiet", "quiet", "Chat1", ", RouteResponseSelectionExpression: $default")
    + functions("Chat1", "Guard")
)
SAM = (
    """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Chat:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      RouteSelectionExpression: ${request.body.kind.name}
      StageName: live
      StageVariables: { color: blue }
      Auth: { AuthType: CUSTOM, AuthArn: !GetAtt Guard.Arn, IdentitySource: [route.request.header.Authorization] }
      Routes:
        $connect: { FunctionArn: !GetAtt Chat1.Arn }
        send: { FunctionArn: !GetAtt Chat1.Arn, IntegrationTimeout: 5000 }
"""
    + function_resource("Chat1", "chat1")
    + function_resource("Guard", "guard")
)


def read_all(folder: Path, template: str) -> Template:
    return read_template(write_project(folder, template, {"chat1": ACCEPT, "guard": ACCEPT}))


def read(folder: Path, template: str) -> Api:
    (api,) = read_all(folder, template).apis
    return api


def test_reads_cloudformations_form(tmp_path: Path) -> None:
    api = read(tmp_path, GUARDED)
    assert (api.kind, api.name, api.stage, api.base_path) == (Kind.WEBSOCKET, "Chat", "live", "/live")
    assert api.selection == ("action",)
    assert [(route.key, route.function, route.authorizer, route.responds) for route in api.routes] == [
        ("$connect", "Chat1", "Gate", False),
        ("send", "Chat1", None, True),
        # Without a route response, API Gateway sends nothing either.
        ("quiet", "Chat1", None, False),
    ]
    assert {route.timeout for route in api.routes} == {29.0}
    sources = ("route.request.header.Authorization", "route.request.querystring.room")
    assert api.authorizers == {"Gate": Authorizer("Gate", "Guard", sources, 0, Payload.REQUEST, simple=False)}


def test_reads_sams_form(tmp_path: Path) -> None:
    api = read(tmp_path, SAM)
    assert (api.kind, api.stage, api.selection) == (Kind.WEBSOCKET, "live", ("kind", "name"))
    assert api.stage_variables == {"color": "blue"}
    assert [(route.key, route.authorizer, route.timeout) for route in api.routes] == [
        ("$connect", "ChatConnectAuthorizer", 29.0),
        ("send", None, 5.0),
    ]
    assert api.authorizers["ChatConnectAuthorizer"].identity_sources == ("route.request.header.Authorization",)


def test_sams_globals_apply(tmp_path: Path) -> None:
    shared = (
        "Globals: { WebSocketApi: { StageVariables: { size: large }, RouteSelectionExpression: $request.body.a } }\n"
    )
    api = read(tmp_path, shared + SAM.replace("      RouteSelectionExpression: ${request.body.kind.name}\n", ""))
    assert api.selection == ("a",)
    assert api.stage_variables == {"size": "large", "color": "blue"}


WRONG = {
    "no-stage": (
        GUARDED.replace("ApiId: !Ref Chat, StageName", "ApiId: other, StageName"),
        "Resources.Chat.Properties: needs one AWS::ApiGatewayV2::Stage whose ApiId is Chat; the template has none",
    ),
    "default-stage": (
        GUARDED.replace("StageName: live", "StageName: $default"),
        "Resources.Stage.Properties.StageName: a WebSocket API needs a stage with a name other than $default",
    ),
    "selection": (
        GUARDED.replace("$request.body.action", "$request.header.action"),
        (
            "Resources.Chat.Properties.RouteSelectionExpression: $request.header.action: only $request.body and a path "
            "of members is emulated"
        ),
    ),
    "iam": (
        GUARDED.replace("AuthorizationType: CUSTOM", "AuthorizationType: AWS_IAM"),
        "Resources.ConnectRoute.Properties.AuthorizationType: AWS_IAM: only CUSTOM and NONE are emulated",
    ),
    "authorizer-of-a-message": (
        GUARDED.replace("RouteKey: quiet", "AuthorizationType: CUSTOM, AuthorizerId: !Ref Gate, RouteKey: quiet"),
        "Resources.QuietRoute.Properties.AuthorizationType: only the route $connect can have an authorizer",
    ),
    "unknown-authorizer": (
        GUARDED.replace("AuthorizerId: !Ref Gate", "AuthorizerId: other"),
        "Resources.ConnectRoute.Properties.AuthorizerId: other: isn't an authorizer of this API",
    ),
    "integration": (
        GUARDED.replace("IntegrationType: AWS_PROXY", "IntegrationType: MOCK"),
        "Resources.ToChat1.Properties.IntegrationType: MOCK: only AWS_PROXY is emulated",
    ),
    "target": (
        GUARDED.replace("integrations/${ToChat1}", "integrations/other"),
        "Resources.ConnectRoute.Properties.Target: must be integrations/ and an AWS::ApiGatewayV2::Integration",
    ),
    "cache": (
        GUARDED.replace("AuthorizerType: REQUEST", "AuthorizerType: REQUEST, AuthorizerResultTtlInSeconds: 60"),
        "Resources.Gate.Properties.AuthorizerResultTtlInSeconds: a WebSocket API caches no results",
    ),
    "kind-of-authorizer": (
        GUARDED.replace("AuthorizerType: REQUEST", "AuthorizerType: JWT"),
        "Resources.Gate.Properties.AuthorizerType: JWT: a WebSocket API needs REQUEST",
    ),
    "source": (
        GUARDED.replace("route.request.querystring.room", "$request.header.room"),
        (
            "Resources.Gate.Properties.IdentitySource: $request.header.room: must be like "
            "route.request.header.Authorization"
        ),
    ),
    "twice": (
        GUARDED.replace("RouteKey: quiet", "RouteKey: send"),
        "Resources.Chat.Properties: two routes have the key send",
    ),
    "reserved": (
        GUARDED.replace("RouteKey: quiet", "RouteKey: $other"),
        "Resources.Chat.Properties: $other isn't a route key",
    ),
    "key": (
        GUARDED.replace("RouteKey: quiet", "ApiKeyRequired: true, RouteKey: quiet"),
        "Resources.QuietRoute.Properties.ApiKeyRequired: is not emulated",
    ),
    "foreign-function": (
        GUARDED.replace("functions/${Guard.Arn}", "functions/arn:aws:lambda:us-east-1:1:function:Other"),
        (
            "Resources.Gate.Properties.AuthorizerUri: arn:aws:lambda:us-east-1:1:function:Other: isn't a function of "
            "this template"
        ),
    ),
    "sam-iam": (
        SAM.replace("AuthType: CUSTOM", "AuthType: AWS_IAM"),
        "Resources.Chat.Properties.Auth.AuthType: AWS_IAM: only CUSTOM and NONE are emulated",
    ),
    "sam-without-connect": (
        SAM.replace("$connect:", "other:"),
        "Resources.Chat.Properties.Auth: an authorizer needs the route $connect",
    ),
}


@pytest.mark.parametrize(("template", "problem"), WRONG.values(), ids=WRONG)
def test_what_it_does_not_emulate_is_an_error_that_names_the_place(tmp_path: Path, template: str, problem: str) -> None:
    with pytest.raises(TemplateError) as error:
        read_all(tmp_path, template)
    assert str(error.value) == problem


def test_apis_of_other_kinds_are_listed(tmp_path: Path) -> None:
    others = """\
  Graph: { Type: AWS::AppSync::GraphQLApi, Properties: { Name: graph } }
  Old: { Type: AWS::ApiGateway::RestApi, Properties: { Name: old } }
  New: { Type: AWS::ApiGatewayV2::Api, Properties: { Name: new, ProtocolType: HTTP } }
"""
    template = read_all(tmp_path, HTTP_HEAD + others)
    assert template.unserved == (
        Unserved("Old", "AWS::ApiGateway::RestApi"),
        Unserved("New", "AWS::ApiGatewayV2::Api"),
        Unserved("Graph", "AWS::AppSync::GraphQLApi"),
    )
    assert [api.name for api in template.apis] == ["HttpApi"]
    assert read_all(tmp_path, GUARDED).unserved == ()
