"""The one way to the terminal: every text is made harmless here, and colour is decided here.

Three forms: JSON; plain (a pipe: tabs, no colour, no truncation, no header); a person's terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

import msgspec

from client.render.safe_text import json_safe, safe
from client.render.times import iso, parse_iso, relative

# SGR parameters (ECMA-48, 8.3.117) of the few styles that we use; never colour alone.
_STYLES = {"add": "32", "change": "33", "remove": "31", "warn": "35", "dim": "2", "bold": "1"}

# A column of such words is not folded: `connected`, `automation`.
MAX_WORD = 10
# Columns whose cells a person pastes into the next command.
_WHOLE = frozenset({"ID", "RUN", "SESSION", "HOLDER", "OPERATION", "DRIFT", "NAME"})


class Span(msgspec.Struct, frozen=True):
    """A piece of a line in one style ("" for none)."""

    text: str
    style: str = ""


Line = tuple[Span, ...]


def line(*parts: str | Span) -> Line:
    """Return a line of strings and styled pieces."""
    return tuple(Span(part) if isinstance(part, str) else part for part in parts)


class Output:
    """Where a command's answer goes; `as_json` says that it must be one JSON document.

    `now` is the time that relative times count from.
    """

    def __init__(
        self, *, as_json: bool, terminal: bool, colour: bool, now: float, stream: TextIO
    ) -> None:
        self.as_json = as_json
        self.terminal = terminal
        self.colour = colour
        self._now = now
        self._stream = stream

    def document(self, value: object) -> None:
        """Print one JSON document: ASCII, so no terminal obeys anything in it."""
        plain: object = msgspec.to_builtins(value)
        self._write(json_safe(json.dumps(plain, indent=2, ensure_ascii=True)) + "\n")

    def lines(self, lines: Sequence[Line | str]) -> None:
        """Print lines, each made harmless."""
        for given in lines:
            spans = line(given) if isinstance(given, str) else given
            self._write("".join(self._styled(span) for span in spans).rstrip() + "\n")

    def text(self, text: str) -> None:
        """Print a piece of text as it comes, made harmless; it may end in the middle of a line."""
        self._write("\n".join(map(safe, text.split("\n"))))
        self._stream.flush()

    def note(self, text: str) -> None:
        """Tell a person something that is no part of the answer."""
        if not self.as_json:
            sys.stderr.write(self._encodable("\n".join(map(safe, text.split("\n"))), sys.stderr))
            sys.stderr.write("\n")
            sys.stderr.flush()

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
        """Print a table; in a pipe one row is one line of tab separated cells."""
        if not self.terminal:
            for row in rows:
                self._write("\t".join(map(safe, row)) + "\n")
            return
        if not rows:
            self._write(safe(empty) + "\n")
            return
        self._rich_table(heads, rows)

    def fields(self, pairs: Mapping[str, str]) -> None:
        """Print names and values, one pair a line."""
        width = max((len(name) for name in pairs), default=0) if self.terminal else 0
        for name, value in pairs.items():
            joint = "  " if self.terminal else "\t"
            self._write(f"{safe(name).ljust(width)}{joint}{safe(value)}\n")

    def when(self, seconds: float | None) -> str:
        """Return a time as this output shows times."""
        return relative(seconds, self._now) if self.terminal else iso(seconds)

    def when_text(self, text: str | None, *, never: str) -> str:
        """Return RFC 3339 text as this output shows times; what is no time is shown as it is."""
        if not text:
            return never
        seconds = parse_iso(text)
        return self.when(seconds) if seconds is not None else text

    def _rich_table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
        for column, head in enumerate(heads):
            words = all(len(row[column]) <= MAX_WORD and " " not in row[column] for row in rows)
            whole = words or head in _WHOLE
            table.add_column(head, overflow="fold", no_wrap=whole, min_width=len(head))
        for row in rows:
            table.add_row(*(Text(safe(cell)) for cell in row))
        console = Console(
            file=self._stream,
            markup=False,
            highlight=False,
            emoji=False,
            color_system="standard" if self.colour else None,
            no_color=not self.colour,
            force_terminal=self.colour,
        )
        console.print(table)

    def _styled(self, span: Span) -> str:
        text = safe(span.text)
        if not self.colour or not span.style:
            return text
        return f"\x1b[{_STYLES[span.style]}m{text}\x1b[0m"

    def _write(self, text: str) -> None:
        self._stream.write(self._encodable(text, self._stream))

    @staticmethod
    def _encodable(text: str, stream: TextIO) -> str:
        # A terminal that is not UTF-8 shows what it lacks written out instead of failing.
        encoding = stream.encoding or "utf-8"
        return text.encode(encoding, "backslashreplace").decode(encoding)


def make_output(
    environment: Mapping[str, str], *, as_json: bool, no_color: bool, now: float
) -> Output:
    """Return the output that fits standard output and the wishes of the person."""
    terminal = sys.stdout.isatty() and not as_json
    plain = no_color or bool(environment.get("NO_COLOR")) or environment.get("TERM") == "dumb"
    return Output(
        as_json=as_json,
        terminal=terminal,
        colour=terminal and not plain,
        now=now,
        stream=sys.stdout,
    )
