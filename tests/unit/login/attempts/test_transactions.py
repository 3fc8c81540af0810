"""The sealed cookie of one sign-in attempt."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from tenantgate.crypto.sealing import Sealer
from tenantgate.login.attempts.redirects import MAX_TARGET_LENGTH
from tenantgate.login.attempts.transactions import (
    COOKIE_PREFIX,
    LIFETIME_SECONDS,
    MAX_DROPPED,
    MAX_OPENED,
    MAX_PENDING,
    MAX_PENDING_BYTES,
    LoginTransaction,
    Transactions,
    transaction_cookie_name,
)
from tenantgate.login.errors import StateMismatch

NOW = 1_800_000_000.0
KEYS = [base64.urlsafe_b64encode(hashlib.sha256(bytes([number])).digest()).decode() for number in (1, 2)]
SEALER = Sealer(KEYS[:1])


def transactions(*, at: float = NOW, sealer: Sealer = SEALER) -> Transactions:
    return Transactions(sealer, clock=lambda: at)


def begin(*, at: float = NOW, sealer: Sealer = SEALER, return_to: str = "/") -> tuple[LoginTransaction, str, str]:
    made = transactions(at=at, sealer=sealer)
    transaction = made.begin(
        issuer="https://idp.example", redirect_uri="https://auth.example.com/api/v1/auth/callback", return_to=return_to
    )
    cookie = made.cookie(transaction)
    return transaction, cookie.name, cookie.value


def test_an_attempt_is_found_by_its_state() -> None:
    transaction, name, value = begin()
    assert transactions(at=NOW + LIFETIME_SECONDS - 1).find(transaction.state, {name: value}) == transaction
    assert transaction.expires_at == NOW + 600


def test_each_attempt_has_its_own_secrets_and_cookie() -> None:
    attempts = [begin() for _ in range(20)]
    for secret in ("state", "nonce", "code_verifier"):
        values = {getattr(transaction, secret) for transaction, _, _ in attempts}
        assert len(values) == 20
        assert all(len(value) == 43 for value in values)
    assert len({name for _, name, _ in attempts}) == 20


def test_the_cookie_does_not_show_its_content() -> None:
    transaction, name, value = begin()
    readable = name + value + base64.urlsafe_b64decode(value + "==").decode("latin-1")
    for secret in (transaction.state, transaction.nonce, transaction.code_verifier, "idp.example"):
        assert secret not in readable
    for secret in (transaction.state, transaction.nonce, transaction.code_verifier):
        assert secret not in repr(transaction)


def test_the_challenge_is_the_verifiers_sha_256() -> None:
    # The example of RFC 7636, appendix B.
    transaction = replace(begin()[0], code_verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert transaction.code_challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param(lambda state, name, value: (None, {name: value}), id="missing-state"),
        pytest.param(lambda state, name, value: ("", {name: value}), id="empty-state"),
        pytest.param(lambda state, name, value: (state, {}), id="no-cookie-of-this-browser"),
        pytest.param(lambda state, name, value: (state[:-1], {name: value}), id="truncated-state"),
        pytest.param(lambda state, name, value: (state + "x" * 100, {name: value}), id="overlong-state"),
        pytest.param(lambda state, name, value: ("ä" * 43, {name: value}), id="state-not-ascii"),
        pytest.param(lambda state, name, value: (state, {name: ""}), id="empty-cookie"),
        pytest.param(lambda state, name, value: (state, {name: value[:-4]}), id="truncated-cookie"),
        pytest.param(lambda state, name, value: (state, {name: value[:60] + "AAAA" + value[64:]}), id="changed-cookie"),
        pytest.param(lambda state, name, value: (state, {name: "not base64!"}), id="malformed-cookie"),
        pytest.param(lambda state, name, value: (state, {name: begin()[2]}), id="another-attempts-value"),
        pytest.param(lambda state, name, value: (state, {name: begin(sealer=Sealer(KEYS[1:]))[2]}), id="foreign-key"),
    ],
)
def test_refuses_any_other_cookie_and_state(
    tamper: Callable[[str, str, str], tuple[str | None, dict[str, str]]],
) -> None:
    transaction, name, value = begin()
    state, cookies = tamper(transaction.state, name, value)
    with pytest.raises(StateMismatch):
        transactions().find(state, cookies)


def test_another_states_cookie_under_this_name_is_refused() -> None:
    _, _, value = begin()
    other = "x" * 43
    with pytest.raises(StateMismatch, match="not sealed here"):
        transactions().find(other, {transaction_cookie_name(other): value})


def test_a_value_sealed_for_another_purpose_is_refused() -> None:
    transaction, name, _ = begin()
    sealed = SEALER.seal(b"{}", purpose="session-tokens", context=name.encode())
    with pytest.raises(StateMismatch):
        transactions().find(transaction.state, {name: sealed})


def test_a_cookie_of_an_older_version_is_refused() -> None:
    transaction, name, _ = begin()
    for plaintext in (b"{}", b"[]", b"no json", b'{"state":"x"}'):
        sealed = SEALER.seal(plaintext, purpose="login", context=name.encode())
        with pytest.raises(StateMismatch):
            transactions().find(transaction.state, {name: sealed})


def test_an_attempt_ends_after_ten_minutes() -> None:
    transaction, name, value = begin()
    with pytest.raises(StateMismatch, match="too long"):
        transactions(at=NOW + LIFETIME_SECONDS).find(transaction.state, {name: value})


def test_an_attempt_survives_a_rotation_of_the_sealing_key() -> None:
    transaction, name, value = begin(sealer=Sealer(KEYS[:1]))
    rotated = transactions(sealer=Sealer([KEYS[1], KEYS[0]]))
    assert rotated.find(transaction.state, {name: value}) == transaction


def test_the_oldest_attempts_beyond_the_limit_are_dropped() -> None:
    pending = {}
    names = []
    for second in range(MAX_PENDING + 2):
        _, name, value = begin(at=NOW + second)
        pending[name] = value
        names.append(name)
    made = transactions(at=NOW + 10)
    newest = made.cookie(made.begin(issuer="https://idp.example", redirect_uri="https://a.example", return_to="/"))
    dropped = made.to_drop(pending, making_room_for=newest)
    assert set(dropped) == set(names[:3])


def test_invalid_cookies_are_dropped_and_others_kept() -> None:
    _, expired, expired_value = begin(at=NOW - LIFETIME_SECONDS)
    _, living, living_value = begin()
    broken = COOKIE_PREFIX + "0" * 16
    cookies = {expired: expired_value, living: living_value, broken: "junk", "__Host-tg_session": "x", "theme": "dark"}
    made = transactions()
    newest = made.cookie(begin()[0])
    assert set(made.to_drop(cookies, making_room_for=newest)) == {expired, broken}


def test_long_attempts_never_fill_the_request_header() -> None:
    pending = {}
    for second in range(MAX_PENDING):
        _, name, value = begin(at=NOW + second, return_to="/" + "a" * (MAX_TARGET_LENGTH - 1))
        assert len(name) + len(value) < 3800
        pending[name] = value
    made = transactions(at=NOW + 10)
    newest = made.cookie(begin()[0])
    for name in made.to_drop(pending, making_room_for=newest):
        del pending[name]
    pending[newest.name] = newest.value
    assert sum(len(name) + len(value) for name, value in pending.items()) <= MAX_PENDING_BYTES


def test_the_cookies_name_does_not_show_the_state() -> None:
    # Written out: with another prefix a sibling subdomain could plant the cookie.
    assert transaction_cookie_name("a") == "__Host-tg_login_" + hashlib.sha256(b"a").hexdigest()[:16]


def test_a_state_of_128_characters_is_looked_for_and_a_longer_one_is_not() -> None:
    with pytest.raises(StateMismatch, match="no cookie"):
        transactions().find("s" * 128, {})
    with pytest.raises(StateMismatch, match="malformed"):
        transactions().find("s" * 129, {})


class CountingSealer(Sealer):
    """Counts the values that it opens."""

    opened = 0

    def open(self, sealed: str, *, purpose: str, context: bytes = b"") -> bytes:
        self.opened += 1
        return super().open(sealed, purpose=purpose, context=context)


class TestJunkCookies:
    """Hundreds of cookies with the prefix, as a script on this origin or a client other than a browser may send."""

    def dropped(self, cookies: dict[str, str]) -> tuple[str, ...]:
        sealer = CountingSealer(KEYS[:1])
        made = transactions(sealer=sealer)
        dropped = made.to_drop(cookies, making_room_for=made.cookie(begin()[0]))
        assert sealer.opened <= MAX_OPENED
        assert len(dropped) <= MAX_DROPPED
        assert len(set(dropped)) == len(dropped)
        return dropped

    def test_a_bounded_number_is_opened_and_cleared(self) -> None:
        junk = {f"{COOKIE_PREFIX}{number:016x}": "x" for number in range(500)}
        assert len(self.dropped(junk)) == MAX_DROPPED

    def test_all_are_cleared_in_the_end(self) -> None:
        cookies = {f"{COOKIE_PREFIX}{number:016x}": "x" for number in range(50)}
        for _ in range(7):
            for name in self.dropped(cookies):
                del cookies[name]
        assert not cookies

    def test_the_newest_attempts_after_them_are_kept(self) -> None:
        junk = {f"{COOKIE_PREFIX}{number:016x}": "x" for number in range(300)}
        _, name, value = begin()
        assert name not in self.dropped({**junk, name: value})

    def test_junk_sent_after_an_attempt_is_cleared_before_it(self) -> None:
        _, name, value = begin()
        junk = {f"{COOKIE_PREFIX}{number:016x}": "x" for number in range(300)}
        assert name not in self.dropped({name: value, **junk})

    @pytest.mark.parametrize("suffix", ["", "x" * 41, "x" * 3000, "a b", "é", 'a"', "a.b"])
    def test_a_name_that_the_product_never_sets_is_not_repeated(self, suffix: str) -> None:
        assert self.dropped({COOKIE_PREFIX + suffix: "x"}) == ()
