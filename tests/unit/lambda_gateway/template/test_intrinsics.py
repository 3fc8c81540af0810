"""Intrinsic functions and conditions of CloudFormation."""

import pytest

from lambda_gateway.aws import function_arn
from lambda_gateway.model import TemplateError
from lambda_gateway.template.intrinsics import Resolver, function_name

DOCUMENT: dict[str, object] = {
    "Parameters": {
        "Stage": {"Type": "String", "Default": "dev"},
        "Origins": {"Type": "CommaDelimitedList", "Default": "http://a, http://b"},
        "NoOrigins": {"Type": "CommaDelimitedList", "Default": ""},
        "Size": {"Type": "Number", "Default": 3},
        "Required": {"Type": "String"},
    },
    "Conditions": {
        "IsDev": {"Fn::Equals": [{"Ref": "Stage"}, "dev"]},
        "IsProd": {"Fn::Not": [{"Condition": "IsDev"}]},
        "Both": {"Fn::And": [{"Condition": "IsDev"}, {"Condition": "IsProd"}]},
        "Either": {"Fn::Or": [{"Condition": "IsDev"}, {"Condition": "IsProd"}]},
    },
    "Mappings": {"Sizes": {"dev": {"memory": 256}}},
    "Resources": {"Hello": {"Type": "AWS::Serverless::Function"}, "Table": {"Type": "AWS::DynamoDB::Table"}},
}


ARN = "arn:aws:lambda:us-east-1:123456789012:function:Hello"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("plain", "plain", id="a-plain-value"),
        pytest.param({"Ref": "Stage"}, "dev", id="ref-of-a-parameter"),
        pytest.param({"Ref": "Size"}, "3", id="a-number-is-text-as-in-cloudformation"),
        pytest.param({"Ref": "Origins"}, ["http://a", "http://b"], id="ref-of-a-list"),
        pytest.param({"Ref": "NoOrigins"}, [], id="ref-of-an-empty-list"),
        pytest.param({"Ref": "Table"}, "Table", id="ref-of-a-resource"),
        pytest.param({"Ref": "AWS::Region"}, "us-east-1", id="pseudo-parameter"),
        pytest.param({"a": {"Ref": "AWS::NoValue"}, "b": 1}, {"b": 1}, id="no-value-drops-the-member"),
        pytest.param([{"Ref": "AWS::NoValue"}, 1], [1], id="no-value-drops-the-item"),
        pytest.param({"Fn::GetAtt": ["Hello", "Arn"]}, ARN, id="arn-of-a-function"),
        pytest.param({"Fn::Sub": "${Stage}-${Hello.Arn}-${!Kept}"}, f"dev-{ARN}-${{Kept}}", id="sub"),
        pytest.param({"Fn::Sub": ["${X}/${Stage}", {"X": {"Ref": "Size"}}]}, "3/dev", id="sub-with-its-own-names"),
        pytest.param({"Fn::If": ["IsDev", "yes", {"Ref": "Unknown"}]}, "yes", id="if-takes-one-branch-only"),
        pytest.param({"Fn::If": ["IsProd", "yes", "no"]}, "no", id="if-not"),
        pytest.param({"Fn::If": ["Both", "yes", "no"]}, "no", id="and"),
        pytest.param({"Fn::If": ["Either", "yes", "no"]}, "yes", id="or"),
        pytest.param({"Fn::Join": [",", {"Ref": "Origins"}]}, "http://a,http://b", id="join"),
        pytest.param({"Fn::Select": [1, {"Fn::Split": [".", "a.b.c"]}]}, "b", id="select-of-split"),
        pytest.param({"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "memory"]}, 256, id="find-in-map"),
        pytest.param({"Fn::Base64": "hi"}, "aGk=", id="base64"),
    ],
)
def test_evaluates(value: object, expected: object) -> None:
    assert Resolver(DOCUMENT, {}).resolve(value, "here") == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param({"Ref": "Nothing"}, "here: Ref names Nothing", id="unknown-name"),
        pytest.param({"Ref": "Required"}, "parameter Required has no default", id="parameter-without-a-value"),
        pytest.param({"Fn::GetAtt": ["Table", "Arn"]}, "Table.Arn is unknown before", id="known-only-after-deployment"),
        pytest.param({"Fn::GetAtt": ["Nothing", "Arn"]}, "which isn't a resource", id="attribute-of-nothing"),
        pytest.param({"Fn::ImportValue": "x"}, "no stack exports x", id="import-of-nothing"),
        pytest.param({"Fn::If": ["Unknown", 1, 2]}, "no condition Unknown", id="unknown-condition"),
        pytest.param({"Fn::If": ["IsDev", 1]}, "takes a list of 3", id="if-without-else"),
        pytest.param({"Fn::Select": [7, ["a"]]}, "finds no item 7", id="select-beyond-the-end"),
        pytest.param({"Fn::FindInMap": ["Sizes", "prod", "memory"]}, "finds no prod", id="map-without-the-key"),
        pytest.param({"a": [{"b": {"Ref": "Nothing"}}]}, "here.a.b: Ref names", id="the-place-is-named"),
    ],
)
def test_reports_the_place_of_an_error(value: object, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        Resolver(DOCUMENT, {}).resolve(value, "here")


def test_given_parameters_override_defaults() -> None:
    resolver = Resolver(DOCUMENT, {"Stage": "prod", "Origins": "http://c"})
    assert resolver.resolve({"Ref": "Origins"}, "here") == ["http://c"]
    assert resolver.condition("IsProd", "here")


@pytest.mark.parametrize("reference", [ARN, f"{ARN}:live", "Hello", "Hello.Alias"])
def test_a_functions_name_from_arn_alias_or_name(reference: str) -> None:
    assert function_name(reference) == "Hello"


@pytest.mark.parametrize(
    ("own", "shared"),
    [
        pytest.param({"AutoPublishAlias": "live"}, {}, id="of-the-function"),
        pytest.param({}, {"AutoPublishAlias": "live"}, id="of-all-functions"),
        pytest.param({"AutoPublishAlias": {"Ref": "Name"}}, {"AutoPublishAlias": "other"}, id="from-a-parameter"),
    ],
)
def test_a_functions_alias_is_the_arn_that_sam_gives_it(own: dict[str, object], shared: dict[str, object]) -> None:
    document: dict[str, object] = {
        "Parameters": {"Name": {"Type": "String", "Default": "live"}},
        "Globals": {"Function": shared},
        "Resources": {"Hello": {"Type": "AWS::Serverless::Function", "Properties": own}},
    }
    alias = Resolver(document, {}, function_names={"Hello": "stack-Hello"}).resolve({"Ref": "Hello.Alias"}, "here")
    assert alias == f"{function_arn('stack-Hello')}:live"
    assert function_name(alias) == "stack-Hello"


def test_a_function_without_an_alias_has_none() -> None:
    document: dict[str, object] = {"Resources": {"Hello": {"Type": "AWS::Serverless::Function"}}}
    with pytest.raises(TemplateError, match=r"here: Hello\.Alias: Hello has no AutoPublishAlias"):
        Resolver(document, {}).resolve({"Ref": "Hello.Alias"}, "here")


def test_exports_and_parameters_of_other_stacks() -> None:
    document: dict[str, object] = {
        "Parameters": {
            "Stack": {"Type": "String", "Default": "gate"},
            "FromStore": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/gate/arn"},
            "Missing": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/nothing"},
        },
        "Resources": {},
    }
    resolver = Resolver(document, {}, stack="mine", exports={"gate-Arn": "arn:1"}, ssm={"/gate/arn": "arn:2"})
    assert resolver.resolve({"Fn::ImportValue": {"Fn::Sub": "${Stack}-Arn"}}, "here") == "arn:1"
    assert resolver.resolve({"Ref": "FromStore"}, "here") == "arn:2"
    assert resolver.resolve("{{resolve:ssm:/gate/arn}}", "here") == "arn:2"
    assert resolver.resolve("{{resolve:ssm:/gate/arn:3}}", "here") == "arn:2"
    assert resolver.resolve({"Ref": "AWS::StackName"}, "here") == "mine"
    with pytest.raises(TemplateError, match="parameter Missing: the parameter store has no /nothing"):
        resolver.resolve({"Ref": "Missing"}, "here")
