"""The texts by which a logout token finds sessions."""

from tenantgate.sessions.models import SignIn, sid_text, subject_text

ISSUER = "https://issuer.example"


def test_a_session_is_found_by_its_sid_and_by_its_subject() -> None:
    texts = SignIn(ISSUER, "user-1", sid="s-1").lookup_texts
    assert texts == [sid_text(ISSUER, "s-1"), subject_text(ISSUER, "user-1")]


def test_without_a_sid_it_is_found_by_its_subject() -> None:
    assert SignIn(ISSUER, "user-1").lookup_texts == [subject_text(ISSUER, "user-1")]


def test_issuer_kind_and_value_are_distinguished() -> None:
    texts = {
        sid_text(ISSUER, "x"),
        subject_text(ISSUER, "x"),
        sid_text(f"{ISSUER}/", "x"),
        sid_text(ISSUER, "/x"),
        subject_text("sid", "x"),
    }
    assert len(texts) == 5
