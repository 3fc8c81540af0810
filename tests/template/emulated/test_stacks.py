"""Each preset brought up on an emulator of AWS: what there is afterwards, and whether it fits together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures.emulated.calls import client
from tests.fixtures.emulated.deployment import NAME, RELEASES, Deployment, deployed
from tests.fixtures.emulated.kinds import KINDS, NATIVE, NOT_EMULATED
from tests.fixtures.emulated.serving import MIGRATIONS
from tests.fixtures.template.deployed import deployed_stack
from tests.fixtures.template.needs import NEEDS_THE_DATABASE
from tests.fixtures.template.nested import nested

# moto is one for the whole process.
pytestmark = pytest.mark.xdist_group("emulated")

PLATFORM = {"Network", "Data"}


@pytest.fixture(scope="module", params=["external", "small", "production"])
def up(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    with deployed(request.param) as deployment:
        yield deployment


def resources(up: Deployment) -> dict[str, dict[str, str]]:
    """The physical ids that each stack has, by logical id."""
    found: dict[str, dict[str, str]] = {}
    for short, stack in up.stacks.items():
        pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack["StackName"])
        found[short] = {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for page in pages
            for each in page["StackResourceSummaries"]
        }
    return found


def functions(up: Deployment) -> dict[str, Any]:
    """The root's functions as Lambda has them, by logical id."""
    ids = resources(up)[NAME]
    names = [name for name in ids if name in deployed_stack().functions]
    return {name: client("lambda").get_function_configuration(FunctionName=ids[name]) for name in names}


def all_pages(service: str, operation: str, path: str, **given: Any) -> list[Any]:
    return list(client(service).get_paginator(operation).paginate(**given).search(path))


def documents() -> Iterator[tuple[str, Any]]:
    """Each policy that a role has, with the role's name."""
    iam = client("iam")
    for role in all_pages("iam", "list_roles", "Roles[]"):
        name = role["RoleName"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            yield name, iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            policy = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]
            version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
            yield name, version["PolicyVersion"]["Document"]


def permitted(role: str, action: str) -> list[str]:
    """The resources on which a role may do this."""
    found: list[str] = []
    for name, document in documents():
        for statement in document["Statement"]:
            actions, given = statement["Action"], statement["Resource"]
            if name == role and statement["Effect"] == "Allow" and action in [actions, *actions]:
                found += [given] if isinstance(given, str) else given
    return found


def has_platform(up: Deployment) -> bool:
    return up.parameters["Preset"] != "external"


def test_every_stack_is_complete_and_has_its_outputs(up: Deployment) -> None:
    assert up.stacks.keys() == {NAME, "Audit", "Jobs", "Observability"} | (PLATFORM if has_platform(up) else set())
    assert {stack["StackStatus"] for stack in up.stacks.values()} == {"CREATE_COMPLETE"}
    expected = {short: nested(short.lower()).outputs.keys() for short in up.stacks if short != NAME}
    root = deployed_stack().document["Outputs"].keys()
    expected[NAME] = root if "DomainName" in up.parameters else root - {"DomainTarget"}
    for short, names in expected.items():
        assert up.outputs(short).keys() == names
        for value in up.outputs(short).values():
            assert re.fullmatch(r"[^\s${}]+", value), value
            assert "None" not in value


def test_the_migration_runs_before_any_function_that_reads_the_database(up: Deployment) -> None:
    (asked,) = MIGRATIONS.properties
    (earlier,) = MIGRATIONS.functions
    ids = resources(up)[NAME]

    assert (asked["ReleaseId"], asked["SchemaRevision"]) == (RELEASES[0], "0012")
    assert asked["ServiceToken"].endswith(f":function:{ids['MigrationRunnerFunction']}")
    assert ids["MigrationRunnerFunction"] in earlier
    assert not earlier & {ids[name] for name in NEEDS_THE_DATABASE if name in ids}


def test_functions_have_their_role_layer_alias_and_network(up: Deployment) -> None:
    layers = {layer["LatestMatchingVersion"]["LayerVersionArn"] for layer in client("lambda").list_layers()["Layers"]}
    roles = {role["Arn"]: role for role in all_pages("iam", "list_roles", "Roles[]")}
    found = functions(up)

    assert found.keys() == deployed_stack().functions.keys() - {"IdentityProviderFunction"}
    for name, function in found.items():
        (trust,) = roles[function["Role"]]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}
        assert {layer["Arn"] for layer in function["Layers"]} == layers
        if name != "MigrationRunnerFunction":
            alias = client("lambda").get_alias(FunctionName=function["FunctionName"], Name="live")
            assert alias["FunctionVersion"] == "1"
        if has_platform(up) and name != "UnknownRouteFunction":
            assert function["VpcConfig"]["SubnetIds"] == up.outputs("Network")["SubnetIds"].split(",")
            assert function["VpcConfig"]["SecurityGroupIds"] == [up.outputs("Network")["FunctionSecurityGroupId"]]


def test_functions_have_every_variable_with_its_final_value(up: Deployment) -> None:
    given = up.outputs("Data") if has_platform(up) else up.parameters
    names = {
        "AWS_SECRETS_MANAGER_SECRET_ID": "SecretArn",
        "DATABASE_URL": "DatabaseUrl",
        "DATABASE_OWNER_URL": "DatabaseOwnerUrl",
    }
    elsewhere = {"AUDIT_ANCHOR_FOLDER", "HTTPS_PROXY", "NO_PROXY"}
    for name, function in functions(up).items():
        variables = function["Environment"]["Variables"]
        assert variables.keys() == deployed_stack().environment(name).keys() - elsewhere
        for variable, source in names.items():
            assert variables.get(variable, given[source]) == given[source]
        if has_platform(up) and "REDIS_URL" in variables:
            user = "AuthorizerRedisUrl" if name == "AuthorizerFunction" else "RedisUrl"
            assert variables["REDIS_URL"] == given[user]
            assert variables["REDIS_IAM_CACHE"] == given["CacheName"]


def test_policies_name_what_there_is(up: Deployment) -> None:
    for role, document in documents():
        assert not re.search(r"\$\{(?!aws:)|null|None", json.dumps(document)), role
    ids = resources(up)[NAME]
    secret = up.outputs(NAME)["SecretArn"]
    assert permitted(ids["AuthLoginRole"], "secretsmanager:GetSecretValue") == [secret]
    assert permitted(ids["AuthorizerRole"], "secretsmanager:GetSecretValue") == []
    assert permitted(ids["SessionSweepRole"], "sqs:SendMessage") == [up.outputs("Jobs")["DeadLetterQueueArn"]]
    if has_platform(up):
        data = up.outputs("Data")
        (user,) = permitted(ids["SessionSweepRole"], "rds-db:connect")
        assert user.endswith(f":dbuser:{data['ProxyResourceId']}/tenantgate_app")
        assert permitted(ids["MigrationRunnerRole"], "secretsmanager:GetSecretValue") == [data["OwnerSecretArn"]]
        reader = permitted(ids["AuthorizerRole"], "elasticache:Connect")
        assert reader == [data["CacheArn"], data["AuthorizerCacheUserArn"]]


def test_the_api_has_its_routes_to_the_aliases_and_may_invoke_them(up: Deployment) -> None:
    api, ids = up.outputs(NAME)["ApiId"], resources(up)[NAME]
    gateway = client("apigatewayv2")
    routes = {route["RouteKey"]: route for route in gateway.get_routes(ApiId=api)["Items"]}
    integrations = {each["IntegrationId"]: each for each in gateway.get_integrations(ApiId=api)["Items"]}
    expected = {route.key: route for route in deployed_stack().routes if route.function in functions(up)}

    assert routes.keys() == expected.keys()
    for key, route in routes.items():
        alias = f":function:{ids[expected[key].function]}:live"
        integration = integrations[route["Target"].removeprefix("integrations/")]
        assert integration["IntegrationUri"].endswith(f"{alias}/invocations")
        assert ("AuthorizerId" in route) == bool(expected[key].authorizers)
        if "AuthorizerId" in route:
            authorizer = gateway.get_authorizer(ApiId=api, AuthorizerId=route["AuthorizerId"])
            assert f"{up.outputs(NAME)['AuthorizerArn']}/invocations" in authorizer["AuthorizerUri"]
        policy = client("lambda").get_policy(FunctionName=ids[expected[key].function], Qualifier="live")["Policy"]
        assert f":{api}/" in policy
    (stage,) = gateway.get_stages(ApiId=api)["Items"]
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == 1000
    assert stage["AccessLogSettings"]["DestinationArn"].endswith(f":log-group:{ids['ApiAccessLogs']}")
    if "DomainName" in up.parameters:
        (mapping,) = gateway.get_api_mappings(DomainName=up.parameters["DomainName"])["Items"]
        assert (mapping["ApiId"], mapping["Stage"]) == (api, stage["StageName"])


def test_failed_invocations_of_schedules_reach_the_queue(up: Deployment) -> None:
    queue, group = up.outputs("Jobs")["DeadLetterQueueArn"], resources(up)["Jobs"]["Schedules"]
    jobs = {"AuditSealFunction", "SessionSweepFunction"}
    jobs |= {"RevocationRepublisherFunction"} if has_platform(up) else set()
    jobs |= {"SecurityEventPollFunction"} if "SecurityEventPolls" in up.parameters else set()
    aliases = {f"{functions(up)[job]['FunctionArn']}:live" for job in jobs}
    schedules = client("scheduler").list_schedules(GroupName=group)["Schedules"]
    bodies = [client("scheduler").get_schedule(GroupName=group, Name=each["Name"]) for each in schedules]

    assert {body["Target"]["Arn"] for body in bodies} == aliases
    for body in bodies:
        assert body["Target"]["DeadLetterConfig"]["Arn"] == queue
        role = body["Target"]["RoleArn"].rpartition("/")[2]
        assert body["Target"]["Arn"] in permitted(role, "lambda:InvokeFunction")
        assert permitted(role, "sqs:SendMessage") == [queue]
    for job in jobs:
        failures = client("lambda").get_function_event_invoke_config(FunctionName=functions(up)[job]["FunctionName"])
        assert failures["DestinationConfig"]["OnFailure"]["Destination"] == queue
    attributes = client("sqs").get_queue_attributes(
        QueueUrl=resources(up)["Jobs"]["DeadLetterQueue"], AttributeNames=["All"]
    )["Attributes"]
    assert attributes["MessageRetentionPeriod"] == "1209600"
    assert json.loads(attributes["Policy"])["Statement"][0]["Resource"] == queue


def test_alarms_watch_what_there_is_and_reach_the_topic(up: Deployment) -> None:
    topic = up.outputs("Observability")["TopicArn"]
    alarms = all_pages("cloudwatch", "describe_alarms", "MetricAlarms[]")
    own = {each["FunctionName"] for each in all_pages("lambda", "list_functions", "Functions[]")}
    watched = {"FunctionName": own, "ApiId": {up.outputs(NAME)["ApiId"]}}
    watched["QueueName"] = {up.outputs("Jobs")["DeadLetterQueueName"]}
    if has_platform(up):
        data = up.outputs("Data")
        watched |= {"DBClusterIdentifier": {data["ClusterIdentifier"]}, "ProxyName": {data["ProxyName"]}}
        watched["clusterId"] = {data["CacheName"]}
    alarmed = set()
    for alarm in alarms:
        if alarm["AlarmName"].startswith(f"{NAME}-Release"):
            continue
        assert alarm["AlarmActions"] == [topic]
    for alarm in alarms:
        parts = [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
        for metric in parts or [alarm]:
            for dimension in metric.get("Dimensions", []):
                if dimension["Name"] in watched:
                    assert dimension["Value"] in watched[dimension["Name"]]
                    alarmed.add(dimension["Value"])
    assert alarmed == set().union(*watched.values())
    body = client("cloudwatch").get_dashboard(DashboardName=up.outputs("Observability")["DashboardName"])
    assert up.outputs(NAME)["ApiId"] in json.dumps(json.loads(body["DashboardBody"]))
    if "AlarmEmail" in up.parameters:
        (mail,) = client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        assert mail["Endpoint"] == up.parameters["AlarmEmail"]
    budgets = client("budgets").describe_budgets(AccountId="123456789012").get("Budgets", [])
    assert len(budgets) == ("MonthlyBudget" in up.parameters)


def test_log_groups_end_and_metrics_read_them(up: Deployment) -> None:
    groups = {each["logGroupName"]: each for each in all_pages("logs", "describe_log_groups", "logGroups[]")}
    filters = all_pages("logs", "describe_metric_filters", "metricFilters[]")
    days = int(up.parameters.get("LogRetentionDays", "90"))

    assert len(groups) == (6 if has_platform(up) else 3)
    assert {group["retentionInDays"] for group in groups.values()} == {days}
    assert {each["logGroupName"] for each in filters} <= groups.keys()
    assert len(filters) == (15 if up.parameters["Preset"] == "production" else 12)


def test_every_type_of_resource_is_placed_by_one_of_the_ways() -> None:
    written = {body["Type"] for body in deployed_stack().document["Resources"].values()}
    for name in ("audit", "data", "jobs", "network", "observability"):
        written |= {body["Type"] for body in nested(name).document["Resources"].values()}

    # An unknown type stops the creation; this also finds one that no template has any more.
    assert KINDS.keys() | NATIVE == written
    assert not KINDS.keys() & NATIVE
    # Only what moto doesn't have at all is not made.
    assert NOT_EMULATED.keys() == {
        "AWS::EC2::NatGateway",
        "AWS::ElastiCache::ServerlessCache",
        "AWS::ElastiCache::UserGroup",
    }
