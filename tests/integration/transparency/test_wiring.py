"""The sealer as a process builds it from its settings, and the warnings of one that can't do all of its work."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tenantgate.audit.repository import EventRepository
from tenantgate.database.wiring import database, dispose_database
from tenantgate.secrets.store import SecretStore
from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate.transparency.anchors.folder import FolderAnchors
from tenantgate.transparency.anchors.s3 import S3Anchors
from tenantgate.transparency.errors import AnchorUnavailable
from tenantgate.transparency.pages import LogPages
from tenantgate.transparency.stating import STATEMENT_SECONDS, Turn
from tenantgate.transparency.wiring import anchors, log_host, report_queue, seal, signing_keys
from tests.fixtures.audit.events import any_event
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer
from tests.fixtures.process.settings import process_settings
from tests.fixtures.transparency.sealing import HOST, KEY, anchored
from tests.fixtures.web.setup import make_settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def urls(postgres_server: PostgresServer) -> Iterator[DatabaseUrls]:
    made = postgres_server.create_database()
    yield made
    postgres_server.drop_database(made)


@contextmanager
def process(urls: DatabaseUrls, **variables: str) -> Iterator[None]:
    base = {"ENVIRONMENT": "development", "PUBLIC_BASE_URL": f"https://{HOST}", "DATABASE_URL": urls.app_url}
    with process_settings(**base, **variables):
        yield


@pytest.fixture
async def tenant_id() -> AsyncIterator[str]:
    yield f"org-{uuid4()}"
    await dispose_database()


async def add(tenant_id: str) -> None:
    await EventRepository(database()).add(any_event(tenant_id))


async def test_a_process_seals_and_anchors_under_the_host_of_its_url(
    urls: DatabaseUrls, tmp_path: Path, tenant_id: str
) -> None:
    with process(urls, AUDIT_SIGNING_KEYS=KEY, AUDIT_ANCHOR_FOLDER=str(tmp_path)):
        await add(tenant_id)
        done = await seal()
        assert done is not None
        assert (done.events, done.anchored) == (1, 1)
        (checkpoint,) = await anchored(FolderAnchors(tmp_path), tenant_id)
    assert (checkpoint.size, checkpoint.origin.partition("/")[0]) == (1, HOST)


async def test_without_signing_keys_events_stay_in_the_queue_and_one_warning_says_so(
    urls: DatabaseUrls, tenant_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    with process(urls):
        await add(tenant_id)
        assert await seal() is None
        assert await seal() is None
        with caplog.at_level(logging.INFO, "tenantgate.transparency.wiring"):
            await report_queue()
    said = [record for record in caplog.records if record.name == "tenantgate.transparency.wiring"]
    assert [record.levelname for record in said] == ["WARNING", "INFO"]
    assert "set AUDIT_SIGNING_KEYS" in said[0].getMessage()
    assert vars(said[1])["context"]["unsealed_tenants"] == 1


async def test_without_anchors_events_are_sealed_and_one_warning_says_what_that_leaves_open(
    urls: DatabaseUrls, tenant_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    with process(urls, AUDIT_SIGNING_KEYS=KEY):
        for tenants in (1, 2):
            await add(tenant_id)
            done = await seal()
            assert done is not None
            # The second run seals the statement of the first one, too.
            assert (done.tenants, done.events, done.anchored) == (tenants, tenants, 0)
    (said,) = [text for text in caplog.messages if "aren't anchored" in text]
    assert "nothing shows that an old state of the database was restored" in said


async def test_a_process_states_about_every_hour_that_everything_is_sealed(
    urls: DatabaseUrls, tenant_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, counts = 0.0, []
    turn = Turn(STATEMENT_SECONDS, clock=lambda: now)
    monkeypatch.setattr("tenantgate.transparency.wiring._statements", lambda: turn)
    with process(urls, AUDIT_SIGNING_KEYS=KEY):
        for moment in (0.0, 10.0, 3599.0, 3600.0, 3610.0):
            now = moment
            done = await seal()
            assert done is not None
            counts.append(done.events)
    # Each is sealed by the next run.
    assert counts == [0, 1, 0, 0, 1]


async def test_it_is_stated_also_while_the_anchors_are_away(urls: DatabaseUrls, tmp_path: Path, tenant_id: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    with process(urls, AUDIT_SIGNING_KEYS=KEY, AUDIT_ANCHOR_FOLDER=str(tmp_path / "file")):
        for events in (1, 2):
            await add(tenant_id)
            with pytest.raises(AnchorUnavailable):
                await seal()
            assert len(await LogPages(database()).leaves(tenant_id, after=-1)) == events
        assert len(await LogPages(database()).leaves(DEPLOYMENT, after=-1)) == 1


async def test_while_an_old_event_waits_nothing_is_stated(
    urls: DatabaseUrls, tenant_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stated = []

    async def too_early(*_: object) -> bool:
        stated.append(False)
        return False

    monkeypatch.setattr("tenantgate.transparency.wiring.state_sealed", too_early)
    with process(urls, AUDIT_SIGNING_KEYS=KEY):
        await seal()
        await seal()
    assert len(stated) == 2


async def test_each_kms_key_is_read_in_its_own_region(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    class Client:
        def __init__(self, region: str) -> None:
            self.region = region

        def get_public_key(self, *, KeyId: str) -> dict[str, bytes]:  # noqa: N803  (boto3's name)
            asked.append((self.region, KeyId))
            key = Ed25519PrivateKey.generate().public_key()
            return {"PublicKey": key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)}

    monkeypatch.setattr("tenantgate.transparency.wiring.kms_client", Client)
    arns = [f"arn:aws:kms:{region}:123456789012:key/{uuid4()}" for region in ("eu-central-1", "eu-west-1")]
    settings = make_settings(AUDIT_SIGNING_KMS_KEY=",".join(arns), AUDIT_ANCHOR_FOLDER="/anchors")
    store = SecretStore(
        secret_id=None, environment={}, client=lambda: pytest.fail("no secret store"), fall_back_to_environment=False
    )
    assert len(await signing_keys(settings, store).public_keys()) == 2
    assert asked == [("eu-central-1", arns[0]), ("eu-west-1", arns[1])]


def test_the_settings_choose_the_anchors(tmp_path: Path) -> None:
    assert anchors(make_settings()) is None
    assert isinstance(anchors(make_settings(AUDIT_ANCHOR_FOLDER=str(tmp_path))), FolderAnchors)
    assert isinstance(anchors(make_settings(AUDIT_ANCHOR_BUCKET="anchors", AWS_REGION="eu-central-1")), S3Anchors)


def test_a_log_is_named_by_host_and_port() -> None:
    assert log_host(make_settings(PUBLIC_BASE_URL="http://localhost:8000")) == "localhost:8000"
