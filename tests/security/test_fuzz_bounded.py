"""A small, repeatable part of `make fuzz`, and proof that it detects faults."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzz import log
from fuzz.__main__ import TARGETS
from fuzz.building import Case, joined, json_bytes, with_signature
from fuzz.differential import Differential
from fuzz.engine import run_plain
from fuzz.judge import Finding, Judge
from fuzz.keys import jwk
from fuzz.targets import all_targets
from fuzz.world import FIRST, NOW, good_claims, key_cache, policy
from tenantgate.errors.tokens import InvalidSignature
from tenantgate.tokens import keys
from tenantgate.tokens.keys import Found, HeldKeys, KeySet
from tenantgate.tokens.verifier import TokenVerifier, VerifiedToken

_HEADER: dict[str, object] = {"alg": "EdDSA", "kid": "ed25519-1", "typ": "at+jwt"}


@pytest.fixture(scope="module")
def run() -> Differential:
    differential = Differential(20261101, Judge(sample=0.05))
    differential.run(runs=6_000)
    return differential


def test_every_accepted_mutation_passes_pyjwt_and_joserfc_and_none_crashes(run: Differential) -> None:
    assert run.tally.found == []


def test_every_mutator_takes_part(run: Differential) -> None:
    assert len(run.tally.by_mutator) == 21
    assert min(run.tally.by_mutator.values()) > 10
    assert len(run.tally.distinct) > 5_000


def test_valid_tokens_pass_with_all_three(run: Differential) -> None:
    harmless = [name for name in run.tally.by_mutator if name.startswith("harmless")]
    assert len(harmless) == 3
    for name in harmless:
        assert run.tally.accepted_by_mutator[name] == run.tally.by_mutator[name]
    # The other libraries check every accepted token, so this many also passed PyJWT and joserfc.
    assert run.judge.with_tenant > 150


def test_a_kid_of_several_keys_is_tried_with_all_three(run: Differential) -> None:
    assert 0 < run.tally.accepted_by_mutator["same kid"] < run.tally.by_mutator["same kid"]


_KEY_SET = json.dumps({"keys": [jwk("ed25519-1")]}).encode()


def test_the_key_set_target_detects_a_reader_that_treats_null_as_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    try_bytes, read = all_targets()["jwks"].prepare(), keys._read
    try_bytes(_KEY_SET)
    monkeypatch.setattr(keys, "_read", lambda entry: None if None in entry.values() else read(entry))
    with pytest.raises(Finding, match="change what a key set means"):
        try_bytes(_KEY_SET)


def test_the_key_set_target_detects_a_reader_with_one_name_of_ed25519(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    try_bytes = all_targets()["jwks"].prepare()
    monkeypatch.setattr(keys, "_ED25519", frozenset({"EdDSA"}))
    with pytest.raises(Finding, match="two names of one algorithm"):
        try_bytes(_KEY_SET)


def test_the_other_libraries_accept_some_rejected_tokens(run: Differential) -> None:
    assert {library for library, _ in run.judge.only_others} == {"PyJWT", "joserfc"}


def _signed(**claims: object) -> Case:
    signing_input = joined(json_bytes(_HEADER), json_bytes(good_claims(FIRST, **claims)))
    return Case(with_signature(signing_input, "ed25519-1", "EdDSA"), signing_input)


class _TakesExpired(TokenVerifier):
    def verify(self, token: str, *, fetch: bool = True, allow_expired: bool = False) -> VerifiedToken:
        return super().verify(token, fetch=fetch, allow_expired=True)


class _ReadsAnotherSubject(TokenVerifier):
    def verify(self, token: str, *, fetch: bool = True, allow_expired: bool = False) -> VerifiedToken:
        verified = super().verify(token)
        return copy.replace(verified, claims={**verified.claims, "sub": "admin"}, subject="admin")


class _RefusesAll(TokenVerifier):
    def verify(self, token: str, *, fetch: bool = True, allow_expired: bool = False) -> VerifiedToken:
        raise InvalidSignature("always")


class _Crashes(TokenVerifier):
    def verify(self, token: str, *, fetch: bool = True, allow_expired: bool = False) -> VerifiedToken:
        raise KeyError(token)


class _NoSignatureNeeded:
    held = HeldKeys(KeySet([], skipped=0), 0, 1e12, 1e12, 1e12)

    def of(self, issuer: str) -> _NoSignatureNeeded:
        return self

    def find(self, kid: str | None, alg: str, *, fetch: bool) -> Found:
        return lambda signature, signed: None, 0


def _sabotaged(kind: type[TokenVerifier]) -> TokenVerifier:
    return kind(policy(), key_cache(), clock=lambda: NOW)


@pytest.mark.parametrize(
    ("broken", "case", "what"),
    [
        pytest.param(
            lambda: TokenVerifier(policy(), _NoSignatureNeeded(), clock=lambda: NOW),
            lambda: Case(f"{_signed(sub='admin').signed_input}.AAAA"),
            "accepted a token that no trusted key signed",
            id="no-signature-check",
        ),
        pytest.param(
            lambda: _sabotaged(_TakesExpired),
            lambda: _signed(iat=NOW - 600, exp=NOW - 100),
            "accepted a token that PyJWT rejects",
            id="no-expiry",
        ),
        pytest.param(
            lambda: _sabotaged(_ReadsAnotherSubject), _signed, "read other claims than json", id="other-claims"
        ),
        pytest.param(
            lambda: _sabotaged(_RefusesAll),
            lambda: _signed()._replace(must_pass=True),
            "rejected a valid token: InvalidSignature: always",
            id="refuses-all",
        ),
        pytest.param(lambda: _sabotaged(_Crashes), _signed, "crashed: KeyError", id="crashes"),
    ],
)
def test_a_broken_verifier_is_detected(
    broken: Callable[[], TokenVerifier], case: Callable[[], Case], what: str
) -> None:
    base = Differential(1, Judge()).mutation().draw()[1]
    with pytest.raises(Finding, match=what):
        Judge(broken()).try_token(case(), base)


def test_findings_are_kept_with_their_tokens_and_the_run_continues() -> None:
    run = Differential(1, Judge(_sabotaged(_Crashes)))
    run.run(runs=50)
    assert len(run.tally.found) == 50
    assert all(found.what.startswith("crashed: KeyError") and found.token for found in run.tally.found)


def test_the_same_seed_draws_the_same_mutators() -> None:
    drawn = []
    for _ in range(2):
        mutation = Differential(7, Judge()).mutation()
        drawn.append([mutation.draw()[0].name for _ in range(200)])
    assert drawn[0] == drawn[1]


def test_the_targets_are_all_named() -> None:
    assert tuple(all_targets()) == TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_has_no_findings(name: str) -> None:
    assert run_plain(name, runs=600, seed=20261101) == []


def _token_event(arn: str) -> str:
    return f'{{"type": "TOKEN", "methodArn": "{arn}", "authorizationToken": "Bearer $GOOD"}}'


def _route_event(arn: str) -> str:
    context = {"requestId": "r", "http": {"method": "GET"}, "stage": "live", "domainName": "api.example.test"}
    event = {"version": "2.0", "type": "REQUEST", "routeArn": arn, "rawPath": "/live/files/a/b"}
    return json.dumps({**event, "requestContext": context, "headers": {"authorization": "Bearer $GOOD"}})


_ARN = "arn:aws:execute-api:eu-central-1:210987654321:k2j4h6g8f0/live/GET/orders/4"
_BLANK = '[{"issuer": " https://login.example.test", "audiences": ["api"], "tenants": "*"}]'


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("authorizer", _token_event("arn:aws"), id="arn-cut-short"),
        pytest.param("authorizer", _token_event("a" * 9000), id="arn-too-long"),
        pytest.param("authorizer", _token_event(_ARN.replace("k2", "{2")), id="wildcard-in-the-arn"),
        pytest.param("authorizer", _token_event(_ARN.replace("2109", "2" + "*" * 128)), id="wildcards-in-the-account"),
        pytest.param("authorizer", _token_event(_ARN + "%\\ud800"), id="half-a-character-in-the-path"),
        pytest.param("authorizer", _token_event(_ARN.replace("eu-", "\\ud800")), id="half-a-character-in-the-arn"),
        pytest.param(
            "authorizer",
            _route_event(_ARN.replace("arn:aws", "arn:a/dmin").replace("orders/4", "files/a/b")),
            id="slash-in-the-partition",
        ),
        pytest.param("settings", f"TRUSTED_ISSUERS={_BLANK}", id="blank-before-an-issuer"),
        pytest.param("rules", f"version = {'9' * 5000}", id="number-too-long"),
        pytest.param("rules", f"version = {'[' * 5000}", id="nested-too-deeply"),
        pytest.param("rules", f'{{"version":{"[" * 100_000}', id="json-nested-too-deeply"),
        pytest.param(
            "verifier",
            f"S{json.dumps({**_HEADER, 'x5t': [1]})}\u00ff{json.dumps(good_claims(FIRST))}",
            id="thumbprint-is-not-a-string",
        ),
    ],
)
def test_an_earlier_finding_stays_fixed(name: str, data: str) -> None:
    all_targets()[name].prepare()(data.encode("latin-1"))


def test_the_log_adds_up(tmp_path: Path) -> None:
    path = tmp_path / "new" / "LOG.md"
    log.append(log.Row("differential", 1_000_000, 1800.4, 7, 0, "fine | good"), path)
    log.append(log.Row("jwks", 500, 1800, 8, 1), path)
    log.append(log.Row("differential", 2, 0.2, 9, 0), path)

    text = path.read_text()

    assert "Total: 1,000,502 runs in 1.0 hours (differential 1,000,002, jwks 500)." in text
    assert len(log.rows_of(text)) == 3
    assert "| 7 | 0 | fine / good |" in text


def test_the_log_rejects_a_malformed_row(tmp_path: Path) -> None:
    path = tmp_path / "LOG.md"
    log.append(log.Row("jwks", 500, 1800, 8, 0), path)
    path.write_text(path.read_text() + "| last week | jwks | many | some | 1 | 0 | |\n")
    with pytest.raises(ValueError, match="the runner did not write"):
        log.append(log.Row("jwks", 500, 1800, 8, 0), path)


def test_the_committed_log_adds_up() -> None:
    text = log.LOG.read_text()
    assert log.total(log.rows_of(text)) in text


def test_the_coverage_guided_engine_runs(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris is in the dependency group `fuzz` (Linux on x86-64)")
    command = [sys.executable, "-m", "fuzz", "targets", "compact", "--minutes", "0.015", "--seed", "1", "--no-log"]
    done = subprocess.run(command, cwd=log.ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 findings" in done.stdout
