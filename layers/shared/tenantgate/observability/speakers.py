"""The product's own words in a text: the literals of the code that logs or raises.

A caller that sends `?x=request+completed` must not mask that message. So a match inside a literal of the code is not
masked. There is no list: the literals come from the code objects, and only if the request has secrets to search for.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from logging import LogRecord
from operator import itemgetter
from types import CodeType, FrameType, TracebackType

_MOST_CODES = 50
_SHORTEST = 6
_SHORTEST_PHRASE = 12


class Speaker:
    """The code that produced a text, found when its literals are needed."""

    __slots__ = ("_error", "_known", "_record")

    def __init__(self, *, record: LogRecord | None = None, error: BaseException | None = None) -> None:
        """Name the source of a text: the function that wrote `record`, which is still on the stack, or the functions in
        the tracebacks of `error` and its causes."""
        self._record = record
        self._error = error
        self._known: list[CodeType] | None = None

    def _codes(self) -> list[CodeType]:
        if self._known is None:
            self._known = [*(_logging(self._record) if self._record is not None else ()), *_raising(self._error)]
        return self._known

    def says(self, text: str) -> bool:
        """Tell whether the whole text is a literal of this code."""
        return any(text in code.co_consts for code in self._codes())

    def foreign(self, text: str, spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Yield the spans of `text` without the parts that are this code's own.

        A span within a literal is its own. In the text of an f-string only constant phrases are: a single word could be
        a part of the secret.
        """
        words, phrases = self._own_parts(text)
        for start, end in spans:
            if not words.hold(start, end):
                yield from (part for part in _without(phrases, start, end) if not words.hold(*part))

    def _own_parts(self, text: str) -> tuple[_Parts, list[tuple[int, int]]]:
        """Find this code's literals in `text`, and in order those that are phrases, merged."""
        words: list[tuple[int, int]] = []
        phrases: list[tuple[int, int]] = []
        for literal in {item for code in self._codes() for item in _strings(code.co_consts)}:
            at = text.find(literal)
            while at >= 0:
                words.append((at, at + len(literal)))
                if len(literal) >= _SHORTEST_PHRASE and " " in literal.strip():
                    phrases.append(words[-1])
                at = text.find(literal, at + len(literal))
        return _Parts(words), _merged(phrases)


class _Parts:
    """Parts of a text, fast to search: a caller may send thousands of them and of spans."""

    __slots__ = ("_furthest", "_starts")

    def __init__(self, parts: list[tuple[int, int]]) -> None:
        parts.sort()
        self._starts = [start for start, _ in parts]
        # The furthest end of the parts that begin here or before.
        self._furthest = list(accumulate((end for _, end in parts), max))

    def hold(self, start: int, end: int) -> bool:
        """Tell whether one part contains the whole span."""
        number = bisect_right(self._starts, start)
        return number > 0 and end <= self._furthest[number - 1]


def _merged(parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(parts):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _without(phrases: list[tuple[int, int]], start: int, end: int) -> Iterator[tuple[int, int]]:
    whole = True
    # From the first phrase that ends after the span begins; phrases don't overlap.
    for number in range(bisect_right(phrases, start, key=itemgetter(1)), len(phrases)):
        first, last = phrases[number]
        if first >= end:
            break
        if first - start >= _SHORTEST:
            yield start, first
        start, whole = max(start, last), False
    if end - start >= (1 if whole else _SHORTEST):
        yield start, end


def _logging(record: LogRecord) -> list[CodeType]:
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  (the only way to the caller's code)
    while frame is not None:
        code = frame.f_code
        if code.co_name == record.funcName and code.co_filename == record.pathname:
            return [code]
        frame = frame.f_back
    return []


def _raising(error: BaseException | None) -> list[CodeType]:
    codes: list[CodeType] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen and len(codes) < _MOST_CODES:
        seen.add(id(error))
        trace: TracebackType | None = error.__traceback__
        frames: list[CodeType] = []
        while trace is not None:
            frames.append(trace.tb_frame.f_code)
            trace = trace.tb_next
        codes += frames[-_MOST_CODES:]
        error = error.__cause__ or error.__context__
    return codes


def _strings(constants: Iterable[object]) -> Iterator[str]:
    for item in constants:
        if isinstance(item, str) and len(item) >= _SHORTEST:
            yield item
        elif isinstance(item, (tuple, frozenset)):
            yield from _strings(item)


UNKNOWN = Speaker()
