"""Exports for other stacks, the authorizer's alias, and its permissions."""

from tests.fixtures.template.deployed import ALIAS, Stack

AUTHORIZER = {"Ref": f"AuthorizerFunction{ALIAS}"}


def test_every_output_is_described_and_exported_under_the_stacks_name(stack: Stack) -> None:
    for name, output in stack.document["Outputs"].items():
        assert output["Description"]
        assert output["Export"]["Name"] == {"Fn::Sub": f"${{AWS::StackName}}-{name}"}


def test_no_export_changes_with_a_release(stack: Stack) -> None:
    # CloudFormation refuses to change an export that another stack imports: no version, and no layer's version.
    changing = {*stack.resources("AWS::Lambda::Version"), *stack.resources("AWS::Lambda::LayerVersion")}
    for output in stack.document["Outputs"].values():
        assert not [name for name in changing if name in str(output["Value"])]


def test_other_stacks_find_the_authorizers_alias(stack: Stack) -> None:
    assert stack.document["Outputs"]["AuthorizerArn"]["Value"] == AUTHORIZER
    parameter = stack.properties("AuthorizerArnParameter")
    assert (parameter["Name"], parameter["Value"]) == (
        {"Fn::Sub": "/tenantgate/${AWS::StackName}/authorizer-arn"},
        AUTHORIZER,
    )


def test_only_apis_of_this_account_and_region_may_invoke_the_authorizer(stack: Stack) -> None:
    given = {
        name: body for name, body in stack.resources("AWS::Lambda::Permission").items() if name.startswith("Authorizer")
    }

    assert {name: body.get("Condition") for name, body in given.items()} == {
        "AuthorizerInvokePermission": None,
        "AuthorizerAppSyncPermission": "AllowsAppSync",
    }
    assert [body["Properties"] for body in given.values()] == [
        {
            "FunctionName": AUTHORIZER,
            "Action": "lambda:InvokeFunction",
            "Principal": f"{service}.amazonaws.com",
            "SourceArn": {"Fn::Sub": f"arn:${{AWS::Partition}}:{resources}"},
        }
        for service, resources in (
            ("apigateway", "execute-api:${AWS::Region}:${AWS::AccountId}:*/authorizers/*"),
            ("appsync", "appsync:${AWS::Region}:${AWS::AccountId}:apis/*"),
        )
    ]
    assert stack.document["Parameters"]["AllowAppSync"]["Default"] == "false"
