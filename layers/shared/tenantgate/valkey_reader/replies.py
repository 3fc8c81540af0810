"""Replies of a Valkey server, in the form of RESP version 2, read strictly and within limits.

Only the replies that the reader's commands have: a status, and a list of values. No reply is trusted: each is of
limited length, and a byte out of place ends the connection. After a reply in another form than expected, no later
reply can be assigned to its command: one caller could get another's session.

https://valkey.io/topics/protocol/
"""

from __future__ import annotations

from collections.abc import Callable

# A status, a length, or an error's text.
_LONGEST_LINE = 512
_LONGEST_NUMBER = 10
_LONGEST_WORD = 32
_LONGEST_PIECE = 256 * 1024


class InvalidReply(Exception):
    """The server's reply has another form than the command's. The text contains nothing of the reply."""


class ErrorReply(Exception):
    """The server refused a command. `word` is the error's first word, such as `WRONGPASS`: the rest may repeat data."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


class Replies:
    """The replies on one connection, in the order of their commands.

    `receive` returns the next bytes, at most as many as asked for, and raises for a connection that ended.
    """

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive = receive
        self._buffer = b""

    def status(self) -> None:
        """Read `+OK`. Raises `ErrorReply`, `InvalidReply`."""
        if self._line() != b"+OK":
            raise InvalidReply("another status than OK")

    def values(self, count: int, *, longest: int) -> list[bytes | None]:
        """Read a list of exactly `count` values of at most `longest` bytes each; None for a key without one."""
        if self._number(b"*") != count:
            raise InvalidReply("a list of another length")
        return [self._value(longest) for _ in range(count)]

    def end(self) -> None:
        """Raise `InvalidReply` if anything follows the last reply that was read."""
        if self._buffer:
            raise InvalidReply("bytes after the last reply")

    def _value(self, longest: int) -> bytes | None:
        length = self._number(b"$")
        if length == -1:
            return None
        if not 0 <= length <= longest:
            raise InvalidReply("a value of an invalid length")
        missing = length + 2 - len(self._buffer)
        if missing > 0:
            # Joined once: appending each piece would copy a large value again and again.
            pieces = [self._buffer]
            while missing > 0:
                pieces.append(self._receive(min(missing, _LONGEST_PIECE)))
                missing -= len(pieces[-1])
            self._buffer = b"".join(pieces)
        value, end = self._buffer[:length], self._buffer[length : length + 2]
        self._buffer = self._buffer[length + 2 :]
        if end != b"\r\n":
            raise InvalidReply("a value without its end")
        return value

    def _number(self, kind: bytes) -> int:
        line = self._line()
        number = line[1:]
        digits = number.removeprefix(b"-")
        # `int` accepts blanks, underscores and signs.
        if line[:1] != kind or len(number) > _LONGEST_NUMBER or not digits.isdigit():
            raise InvalidReply("another kind of reply")
        return int(number)

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) == -1:
            if len(self._buffer) > _LONGEST_LINE:
                raise InvalidReply("a line without an end")
            self._buffer += self._receive(_LONGEST_LINE)
        line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
        if line[:1] == b"-":
            raise ErrorReply(_word(line[1:]))
        return line


def _word(text: bytes) -> str:
    word = text.partition(b" ")[0]
    # Words that the server chose, in the only form that they have.
    if 0 < len(word) <= _LONGEST_WORD and word.isalpha() and word.isupper():
        return word.decode("ascii")
    return "ERR"


def command(*parts: bytes) -> bytes:
    """Return a command in the form in which its parts can be any bytes."""
    written = [b"*%d\r\n" % len(parts)]
    written += [b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]
    return b"".join(written)
