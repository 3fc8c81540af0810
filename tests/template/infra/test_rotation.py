"""The inline function of infra/data.yaml that rotates the sealing keys, against moto's Secrets Manager."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tenantgate.crypto.sealing import Sealer, decode_sealing_key, new_sealing_key
from tests.fixtures.template.nested import nested

CODE = nested("data").properties("RotationFunction")["Code"]["ZipFile"]
KEYS = "COOKIE_SEALING_KEYS"
# As `GenerateSecretString` makes it: letters and digits.
FIRST = "q3T5vB8mZ1xK7cD9wR2yL4nH6jF0gS3aP5uE8iO1tYk"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


class Rotator:
    """The function and its secret."""

    def __init__(self) -> None:
        self.client: Any = boto3.client("secretsmanager")
        self.arn = self.client.create_secret(Name="app", SecretString=json.dumps(self.values(FIRST)))["ARN"]
        self._module: dict[str, Any] = {}
        exec(compile(CODE, "index.py", "exec"), self._module)

    @staticmethod
    def values(keys: str) -> dict[str, str]:
        return {"OIDC_CLIENT_SECRET": "of the provider", KEYS: keys}

    def step(self, step: str, version: str) -> None:
        self._module["lambda_handler"]({"Step": step, "SecretId": self.arn, "ClientRequestToken": version}, None)

    def rotate(self) -> None:
        version = str(uuid.uuid4())
        for step in STEPS:
            # Secrets Manager may repeat each step.
            self.step(step, version)
            self.step(step, version)

    def current(self) -> dict[str, str]:
        # With the stage: without it, moto returns the newest version.
        found: dict[str, str] = json.loads(
            self.client.get_secret_value(SecretId=self.arn, VersionStage="AWSCURRENT")["SecretString"]
        )
        return found

    def key_list(self) -> list[str]:
        return self.current()[KEYS].split(",")

    def staged(self, stage: str) -> list[str]:
        versions = self.client.describe_secret(SecretId=self.arn)["VersionIdsToStages"]
        return [version for version, stages in versions.items() if stage in stages]


@pytest.fixture
def rotator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rotator]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        yield Rotator()


def test_a_key_is_known_before_it_seals_and_opens_after_it_has_sealed(rotator: Rotator) -> None:
    lists = [rotator.key_list()]
    for _ in range(4):
        rotator.rotate()
        lists.append(rotator.key_list())

    for before, after in itertools.pairwise(lists[1:]):
        assert after[0] == before[-1]
        assert before[0] in after
        assert after[-1] not in before
        assert len(after) == 3
    # The first rotation only adds a key that every function knows when it begins to seal.
    assert lists[1][0] == FIRST


def test_functions_with_the_keys_of_before_and_after_open_each_others_values(rotator: Rotator) -> None:
    # The first rotation adds a key; until all functions have it, none of them seals with it.
    for _ in range(3):
        before = Sealer(rotator.key_list())
        rotator.rotate()
        after = Sealer(rotator.key_list())
        assert after.open(before.seal(b"value", purpose="test"), purpose="test") == b"value"
        assert before.open(after.seal(b"value", purpose="test"), purpose="test") == b"value"


def test_keys_that_an_operator_wrote_with_padding_are_accepted(rotator: Rotator) -> None:
    written = [new_sealing_key(), new_sealing_key() + "=", FIRST]
    rotator.client.put_secret_value(SecretId=rotator.arn, SecretString=json.dumps(rotator.values(",".join(written))))
    rotator.rotate()

    assert rotator.key_list()[:2] == [FIRST, written[0]]


def test_new_keys_are_random_and_accepted_by_the_sealer(rotator: Rotator) -> None:
    for _ in range(5):
        rotator.rotate()
        assert all(len(decode_sealing_key(key)) == 32 for key in rotator.key_list())


def test_the_rest_of_the_secret_stays(rotator: Rotator) -> None:
    rotator.rotate()

    assert {**rotator.current(), KEYS: ""} == rotator.values("")


@pytest.mark.parametrize("member", [KEYS, "OIDC_CLIENT_SECRET"])
def test_a_value_that_is_written_during_a_rotation_stays(rotator: Rotator, member: str) -> None:
    version = str(uuid.uuid4())
    rotator.step("createSecret", version)
    written = rotator.current() | {member: "r" * 43}
    rotator.client.put_secret_value(SecretId=rotator.arn, SecretString=json.dumps(written))

    with pytest.raises(ValueError, match="was changed during the rotation"):
        rotator.step("finishSecret", version)

    assert rotator.current() == written
    # A version that remained pending would block every later rotation.
    assert rotator.staged("AWSPENDING") == []
    rotator.rotate()
    assert rotator.key_list()[0] == written[KEYS].split(",")[0]


def test_an_invalid_key_never_becomes_current(rotator: Rotator) -> None:
    rotator.client.put_secret_value(SecretId=rotator.arn, SecretString=json.dumps(rotator.values("short")))
    version = str(uuid.uuid4())
    rotator.step("createSecret", version)

    with pytest.raises(ValueError, match="32 bytes"):
        rotator.step("testSecret", version)


def test_nothing_of_the_secret_is_printed(rotator: Rotator, capsys: pytest.CaptureFixture[str]) -> None:
    rotator.rotate()

    assert capsys.readouterr() == ("", "")


def test_only_secrets_manager_invokes_it_for_this_secret_and_it_may_do_nothing_else() -> None:
    data = nested("data")
    permission = data.properties("RotationPermission")
    (policy,) = data.properties("RotationRole")["Policies"]
    resources = [statement["Resource"] for statement in policy["PolicyDocument"]["Statement"]]

    assert (permission["Principal"], permission["SourceArn"]) == ("secretsmanager.amazonaws.com", {"Ref": "AppSecret"})
    assert permission["SourceAccount"] == {"Ref": "AWS::AccountId"}
    assert resources == [
        {"Ref": "AppSecret"},
        {"Fn::GetAtt": ["SecretsKey", "Arn"]},
        {"Fn::GetAtt": ["RotationLogs", "Arn"]},
    ]
    assert data.properties("Rotation")["RotateImmediatelyOnUpdate"] is False
