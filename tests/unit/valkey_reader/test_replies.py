"""Replies, well formed and not: a reply in any other form than the command's ends the connection."""

from __future__ import annotations

import pytest

from tenantgate.valkey_reader.replies import ErrorReply, InvalidReply, Replies, command


def _replies(*chunks: bytes) -> Replies:
    left = list(chunks)

    def receive(_: int) -> bytes:
        if not left:
            raise ConnectionResetError
        return left.pop(0)

    return Replies(receive)


def test_a_command_can_have_any_bytes() -> None:
    assert command(b"SET", b"a b", b"\r\n\x00", b"") == b"*4\r\n$3\r\nSET\r\n$3\r\na b\r\n$3\r\n\r\n\x00\r\n$0\r\n\r\n"


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_values_are_read_wherever_the_network_cuts_them(size: int) -> None:
    sent = b"*3\r\n$5\r\nhello\r\n$-1\r\n$4\r\n\r\n\r\n\r\n"
    replies = _replies(*(sent[at : at + size] for at in range(0, len(sent), size)))
    assert replies.values(3, longest=5) == [b"hello", None, b"\r\n\r\n"]
    replies.end()


def test_replies_follow_each_other() -> None:
    replies = _replies(b"+OK\r\n+OK\r\n*1\r\n$0\r\n\r\n")
    replies.status()
    replies.status()
    assert replies.values(1, longest=0) == [b""]
    replies.end()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", id="more-values"),
        pytest.param(b"*0\r\n", id="fewer-values"),
        pytest.param(b"*-1\r\n", id="no-list"),
        pytest.param(b"*1\r\n$6\r\nhello!\r\n", id="a-longer-value"),
        pytest.param(b"*1\r\n$99999999999\r\n", id="a-length-of-many-digits"),
        pytest.param(b"*1\r\n$1000000000\r\n", id="a-length-of-a-gigabyte"),
        pytest.param(b"*1\r\n$-2\r\n", id="a-negative-length"),
        pytest.param(b"*1\r\n$ 5\r\nhello\r\n", id="a-blank-in-a-number"),
        pytest.param(b"*1\r\n$+5\r\nhello\r\n", id="a-sign-in-a-number"),
        pytest.param(b"*1\r\n$\r\nhello\r\n", id="no-number"),
        pytest.param(b"*1\r\n$--1\r\nhello\r\n", id="two-signs"),
        pytest.param(b"*1\r\n:5\r\n", id="a-number-for-a-value"),
        pytest.param(b"*1\r\n*1\r\n$1\r\na\r\n", id="a-list-in-the-list"),
        pytest.param(b"*1\r\n$5\r\nhelloXX", id="a-value-without-its-end"),
        pytest.param(b"*1\r\n$5\r\nhello\n\r", id="a-value-with-another-end"),
        pytest.param(b"$5\r\nhello\r\n", id="no-list-around-it"),
        pytest.param(b"+OK\r\n", id="a-status"),
        pytest.param(b"%1\r\n$1\r\na\r\n", id="a-map-of-version-3"),
        pytest.param(b">1\r\n$1\r\na\r\n", id="a-push-of-version-3"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="a-web-server"),
        pytest.param(b"\x16\x03\x01\x02\x00" * 200, id="a-tls-server"),
        pytest.param(b"*1\r\n" + b"$" * 600, id="a-line-without-an-end"),
    ],
)
def test_a_list_in_another_form_is_refused(sent: bytes) -> None:
    with pytest.raises(InvalidReply):
        _replies(sent).values(1, longest=5)


@pytest.mark.parametrize("sent", [b"+QUEUED\r\n", b"+OK \r\n", b":1\r\n", b"$2\r\nOK\r\n", b"OK\r\n", b"\r\n"])
def test_another_status_is_refused(sent: bytes) -> None:
    with pytest.raises(InvalidReply):
        _replies(sent).status()


def test_bytes_after_the_last_reply_are_refused() -> None:
    """The next command would get them as its reply: another caller's session."""
    replies = _replies(b"+OK\r\n+OK\r\n")
    replies.status()
    with pytest.raises(InvalidReply, match="after the last reply"):
        replies.end()


@pytest.mark.parametrize(
    ("sent", "word"),
    [
        pytest.param(b"-WRONGPASS invalid username-password pair\r\n", "WRONGPASS", id="a-word-and-a-text"),
        pytest.param(b"-LOADING\r\n", "LOADING", id="a-word"),
        pytest.param(b"-ERR unknown command 'secret'\r\n", "ERR", id="err"),
        pytest.param(b"-secret text\r\n", "ERR", id="no-word-of-the-servers"),
        pytest.param(b"-" + b"A" * 32 + b"\r\n", "A" * 32, id="the-longest-word"),
        pytest.param(b"-" + b"A" * 33 + b"\r\n", "ERR", id="a-longer-word"),
        pytest.param(b"-A b\r\n", "A", id="the-shortest-word"),
        pytest.param(b"-AB1 c\r\n", "ERR", id="a-digit-in-the-word"),
        pytest.param(b"-\r\n", "ERR", id="nothing"),
    ],
)
def test_only_an_errors_first_word_is_kept(sent: bytes, word: str) -> None:
    for read in (lambda: _replies(sent).status(), lambda: _replies(b"*1\r\n" + sent).values(1, longest=9)):
        with pytest.raises(ErrorReply) as refused:
            read()
        assert (refused.value.word, str(refused.value)) == (word, word)


@pytest.mark.parametrize(("length", "read"), [(512, True), (513, False)])
def test_a_line_has_at_most_512_bytes(length: int, read: bool) -> None:
    line = b"-" + b"A " * 300
    replies = _replies(line[:length], b"\r\n")
    with pytest.raises(ErrorReply if read else InvalidReply):
        replies.status()


@pytest.mark.parametrize(("digits", "read"), [(10, True), (11, False)])
def test_a_length_has_at_most_10_digits(digits: int, read: bool) -> None:
    replies = _replies(b"*1\r\n$%s\r\nx\r\n" % (b"0" * (digits - 1) + b"1"))
    if read:
        assert replies.values(1, longest=1) == [b"x"]
        return
    with pytest.raises(InvalidReply):
        replies.values(1, longest=1)


def test_no_more_is_received_than_the_reply_has() -> None:
    """The rest of a value is received by its length, so that a slow network costs no second wait."""
    wanted: list[int] = []
    chunks = [b"*1\r\n$9\r\nabc", b"def", b"ghi\r\n"]

    def receive(most: int) -> bytes:
        wanted.append(most)
        return chunks.pop(0)

    assert Replies(receive).values(1, longest=9) == [b"abcdefghi"]
    assert wanted[1:] == [8, 5]


def test_an_endless_line_is_given_up_after_a_few_bytes() -> None:
    received = 0

    def receive(most: int) -> bytes:
        nonlocal received
        received += most
        return b"+" * most

    with pytest.raises(InvalidReply):
        Replies(receive).status()
    assert received <= 1024
