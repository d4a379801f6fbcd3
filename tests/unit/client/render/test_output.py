"""Three forms of one answer, all of them harmless."""

from __future__ import annotations

import io
import json

import pytest

from client.render.output import Output, Span, line, make_output
from tests.fakes.operator import Screen


def output(stream: io.StringIO, *, terminal: bool = False, colour: bool = False) -> Output:
    return Output(as_json=False, terminal=terminal, colour=colour, now=100.0, stream=stream)


def test_a_pipe_gets_tabs_and_nothing_else() -> None:
    stream = io.StringIO()
    one = output(stream)
    one.table(("A", "B"), [("x\ty", "z" * 300)], empty="none")
    one.table(("A",), [], empty="none")
    one.fields({"key": "v\n"})
    one.lines([line(Span("plan", "bold"), " x")])
    assert stream.getvalue() == f"x\\ty\t{'z' * 300}\nkey\tv\\n\nplan x\n"


def test_a_terminal_gets_heads_colours_and_markup_stays_text() -> None:
    stream = io.StringIO()
    one = output(stream, terminal=True, colour=True)
    one.table(("NAME",), [("[red]x[/red] :smile:",)], empty="none")
    one.table(("NAME",), [], empty="none yet")
    one.lines([line(Span("+ x", "add"))])
    shown = stream.getvalue()
    assert "NAME" in shown
    assert "[red]x[/red] :smile:" in shown
    assert "none yet" in shown
    assert "\x1b[32m+ x\x1b[0m" in shown


def test_ids_stay_in_one_piece_on_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a person pastes into the next command is not folded; other columns give way."""
    monkeypatch.setenv("COLUMNS", "80")
    stream = io.StringIO()
    row = (
        "first",
        "approved",
        "connected",
        "10 s ago",
        "a-long-host-name",
        "7" * 26,
        "env=staging",
    )
    heads = ("NAME", "STATUS", "LINK", "SEEN", "HOSTNAME", "RUN", "TAGS")
    output(stream, terminal=True).table(heads, [row], empty="")
    shown = stream.getvalue()
    assert all(word in shown for word in ("first", "approved", "connected", "7" * 26))
    assert max(map(len, shown.splitlines())) <= 80


def test_a_document_is_ascii_json() -> None:
    stream = io.StringIO()
    output(stream).document({"a": "\x1b\x9b\x7fä"})
    assert stream.getvalue().isascii()
    assert not {"\x1b", "\x7f"} & set(stream.getvalue())
    assert json.loads(stream.getvalue()) == {"a": "\x1b\x9b\x7fä"}


def test_a_terminal_of_another_encoding_shows_what_it_lacks() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Output(as_json=False, terminal=False, colour=False, now=0, stream=stream).lines(["ä"])
    stream.flush()
    assert raw.getvalue() == b"\\xe4\n"


@pytest.mark.parametrize(
    ("environment", "no_color", "colour"),
    [
        ({}, False, True),
        ({"NO_COLOR": "1"}, False, False),
        ({"TERM": "dumb"}, False, False),
        ({}, True, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    environment: dict[str, str], no_color: bool, colour: bool
) -> None:
    import contextlib

    with contextlib.redirect_stdout(Screen(terminal=True)):
        made = make_output(environment, as_json=False, no_color=no_color, now=0)
        assert made.colour is colour
        assert not make_output(environment, as_json=True, no_color=no_color, now=0).colour
    with contextlib.redirect_stdout(Screen()):
        assert not make_output(environment, as_json=False, no_color=no_color, now=0).colour


def test_times_follow_the_form() -> None:
    pipe, person = output(io.StringIO()), output(io.StringIO(), terminal=True)
    assert pipe.when(40) == "1970-01-01T00:00:40Z"
    assert person.when(40) == "1 min ago"
    assert person.when_text("1970-01-01T00:00:40Z", never="x") == "1 min ago"
    assert person.when_text(None, never="x") == "x"
    assert pipe.when_text("soon", never="x") == "soon"
