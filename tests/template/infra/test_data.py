"""The database, its proxy, the cache and the secret: encrypted, retained, reached only by functions, over TLS."""

import random
import re
import string

import pytest

from tenantgate.aws.rds import rds_region
from tenantgate.crypto.sealing import decode_sealing_key
from tenantgate_cli.generate.cache import ACL
from tests.fixtures.template.nested import nested

DATA = nested("data")
CLUSTER = DATA.properties("Cluster")
HOLDS_DATA = {"AWS::RDS::DBCluster", "AWS::KMS::Key", "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup"}


def arn_of(key: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [key, "Arn"]}


def test_everything_is_encrypted_with_a_key_of_the_account() -> None:
    assert CLUSTER["StorageEncrypted"] is True
    assert CLUSTER["KmsKeyId"] == arn_of("DataKey")
    assert DATA.properties("Cache")["KmsKeyId"] == arn_of("DataKey")
    assert CLUSTER["MasterUserSecret"]["KmsKeyId"] == arn_of("SecretsKey")
    assert DATA.properties("AppSecret")["KmsKeyId"] == arn_of("SecretsKey")
    for instance in DATA.resources("AWS::RDS::DBInstance", Readers="true").values():
        assert instance["Properties"]["PerformanceInsightsKMSKeyId"] == arn_of("DataKey")
    for key in DATA.resources("AWS::KMS::Key").values():
        assert key["Properties"]["EnableKeyRotation"] is True


def test_readers_of_secrets_get_the_key_that_opens_no_snapshot() -> None:
    assert DATA.outputs["KeyArn"]["Value"] == arn_of("SecretsKey")


def test_data_keys_have_a_key_that_opens_nothing_else() -> None:
    assert DATA.outputs["KeyEncryptionKeyArn"]["Value"] == arn_of("KeyEncryptionKey")
    elsewhere = {name: body for name, body in DATA.resources().items() if name != "KeyEncryptionKey"}
    assert "KeyEncryptionKey" not in str(elsewhere)


def test_what_holds_data_outlives_the_stack() -> None:
    policies = {
        name: (body.get("DeletionPolicy"), body.get("UpdateReplacePolicy"))
        for name, body in DATA.resources().items()
        if body["Type"]
        in ("AWS::RDS::DBCluster", "AWS::KMS::Key", "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup")
    }

    assert policies.pop("Cluster") == ("Snapshot", "Snapshot")
    # Not plain Retain: what a failed first deployment leaves behind would block the second one.
    assert policies == dict.fromkeys(policies, ("RetainExceptOnCreate", "Retain"))
    assert len(policies) >= 4


def test_the_database_restores_to_any_second_and_refuses_deletion() -> None:
    assert CLUSTER["BackupRetentionPeriod"] == {"Ref": "BackupRetentionDays"}
    assert DATA.parameters["BackupRetentionDays"]["MinValue"] >= 1
    assert CLUSTER["DeletionProtection"] == {"Ref": "DeletionProtection"}
    assert DATA.parameters["DeletionProtection"]["Default"] == "true"
    assert CLUSTER["CopyTagsToSnapshot"] is True


def test_the_database_refuses_plain_text_and_weak_password_hashes() -> None:
    parameters = DATA.properties("ClusterParameters")["Parameters"]

    assert CLUSTER["DBClusterParameterGroupName"] == {"Ref": "ClusterParameters"}
    assert parameters["rds.force_ssl"] == "1"
    assert parameters["ssl_min_protocol_version"] == "TLSv1.2"
    assert parameters["rds.accepted_password_auth_method"] == "scram"
    assert DATA.properties("Proxy")["RequireTLS"] is True


def test_the_parameter_groups_family_is_the_engines_major_version() -> None:
    major = CLUSTER["EngineVersion"].split(".")[0]

    assert DATA.properties("ClusterParameters")["Family"] == f"aurora-postgresql{major}"


def test_the_databases_log_is_exported_without_values_and_has_an_end() -> None:
    parameters = DATA.properties("ClusterParameters")["Parameters"]

    assert CLUSTER["EnableCloudwatchLogsExports"] == ["postgresql"]
    assert parameters["log_parameter_max_length"] == parameters["log_parameter_max_length_on_error"] == "0"
    # The group has the name that RDS gives it.
    assert CLUSTER["DBClusterIdentifier"] == {"Ref": "Name"}
    assert DATA.properties("DatabaseLogs")["LogGroupName"] == {"Fn::Sub": "/aws/rds/cluster/${Name}/postgresql"}
    assert DATA.properties("DatabaseLogs")["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_logins_are_by_iam_from_end_to_end() -> None:
    proxy = DATA.properties("Proxy")
    (policy,) = DATA.properties("ProxyRole")["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]

    assert CLUSTER["EnableIAMDatabaseAuthentication"] is True
    assert proxy["DefaultAuthScheme"] == "IAM_AUTH"
    assert "Auth" not in proxy
    assert statement["Action"] == "rds-db:connect"
    assert statement["Resource"]["Fn::Sub"].endswith("dbuser:${Cluster.DBClusterResourceId}/tenantgate_app")


def test_no_output_has_a_password() -> None:
    for name in ("DatabaseUrl", "DatabaseOwnerUrl", "RedisUrl", "AuthorizerRedisUrl"):
        url = DATA.outputs[name]["Value"]["Fn::Sub"]
        assert re.fullmatch(r"[a-z]+://(\$\{\w+\}|\w+)@.+", url), url
    assert CLUSTER["ManageMasterUserPassword"] is True
    assert "MasterUserPassword" not in CLUSTER


def test_urls_are_those_that_the_application_logs_in_to_by_iam() -> None:
    for name in ("DatabaseUrl", "DatabaseOwnerUrl"):
        assert DATA.outputs[name]["Value"]["Fn::Sub"].endswith(":5432/tenantgate?sslmode=verify-full")
    assert DATA.outputs["DatabaseUrl"]["Value"]["Fn::Sub"].startswith("postgresql://tenantgate_app@${Proxy.Endpoint}:")
    assert rds_region("tenantgate.proxy-cjxyz0000000.eu-central-1.rds.amazonaws.com") == "eu-central-1"


def test_only_functions_reach_proxy_database_and_cache() -> None:
    function = {"Ref": "FunctionSecurityGroupId"}
    sources = {
        name: [(rule["FromPort"], rule["SourceSecurityGroupId"]) for rule in body["Properties"]["SecurityGroupIngress"]]
        for name, body in DATA.resources("AWS::EC2::SecurityGroup").items()
    }

    assert sources == {
        "DatabaseSecurityGroup": [(5432, {"Fn::GetAtt": ["ProxySecurityGroup", "GroupId"]}), (5432, function)],
        "ProxySecurityGroup": [(5432, function)],
        "CacheSecurityGroup": [(6379, function)],
    }
    assert not DATA.resources("AWS::EC2::SecurityGroupIngress")
    for instance in DATA.resources("AWS::RDS::DBInstance", Readers="true").values():
        assert instance["Properties"]["PubliclyAccessible"] is False


@pytest.mark.parametrize("readers", ["true", "false"])
def test_a_reader_is_a_choice_and_takes_over_with_the_writers_size(readers: str) -> None:
    made = DATA.resources("AWS::RDS::DBInstance", Readers=readers)

    assert ("Reader" in made) == (readers == "true")
    assert {body["Properties"]["PromotionTier"] for body in made.values()} <= {0, 1}
    same = {"PromotionTier": 0} | DATA.properties("Writer")
    assert {**DATA.properties("Reader"), "PromotionTier": 0} == same


def test_the_database_never_pauses() -> None:
    assert DATA.parameters["MinAcu"]["MinValue"] == DATA.parameters["MinAcu"]["Default"] == 0.5


def test_a_generated_sealing_key_is_one_that_the_sealer_accepts() -> None:
    generated = DATA.properties("AppSecret")["GenerateSecretString"]
    alphabet = string.ascii_letters + string.digits
    draw = random.Random(1)

    assert (generated["GenerateStringKey"], generated["ExcludePunctuation"]) == ("COOKIE_SEALING_KEYS", True)
    for _ in range(200):
        text = "".join(draw.choices(alphabet, k=generated["PasswordLength"]))
        assert len(decode_sealing_key(text)) == 32


def test_valkeys_users_have_the_access_that_the_documentation_gives_them() -> None:
    documented = {}
    for line in ACL.splitlines():
        _, _, user, *rules = line.split()
        documented[user] = [rule for rule in rules if not rule.startswith(">")]

    granted = {name: DATA.properties(name)["AccessString"].split() for name in ("CacheUser", "CacheReader")}
    assert granted == {"CacheUser": documented["web"], "CacheReader": documented["authorizer"]}


def test_valkeys_users_log_in_by_iam() -> None:
    users = DATA.resources("AWS::ElastiCache::User")
    for user in users.values():
        properties = user["Properties"]
        assert properties["AuthenticationMode"] == {"Type": "iam"}
        # ElastiCache's condition for a login by IAM.
        assert properties["UserId"] == properties["UserName"]
        longest = DATA.parameters["Name"]["AllowedPattern"]
        suffix = properties["UserId"]["Fn::Sub"].removeprefix("${Name}")
        name = "a" * 31
        assert re.fullmatch(longest, name)
        assert len(name + suffix) <= 40
    assert DATA.properties("CacheUsers")["UserIds"] == [{"Ref": name} for name in users]
    assert DATA.properties("Cache")["UserGroupId"] == {"Ref": "CacheUsers"}


def test_no_snapshot_of_valkey_can_bring_back_what_was_revoked() -> None:
    assert DATA.properties("Cache")["SnapshotRetentionLimit"] == 0
