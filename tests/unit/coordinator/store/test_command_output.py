"""Pieces of output: each of a host once, in one sequence over a command, bounded."""

from __future__ import annotations

import pytest

from coordinator.store import command_output
from protocol.commands import Output
from tests.fakes.stores import memory_store


def piece(number: int, text: str, omitted: int = 0) -> Output:
    return Output("c", 1, number, 0, text, omitted)


def test_pieces_are_kept_once_and_read_after_a_sequence() -> None:
    """The same again, or one from before, changes nothing."""
    store = memory_store()
    add = command_output.add
    said = [("a", 1, "one"), ("b", 1, "two"), ("a", 1, "again"), ("a", 2, "three")]
    kept = [
        store.write_now(lambda tx, n=node, k=number, t=text: add(tx, n, piece(k, t)))
        for node, number, text in said
    ]
    assert kept == [True, True, False, True]
    found = store.read_now(lambda tx: command_output.after(tx, "c", 1))
    assert [(one.seq, one.node_id, one.text) for one in found] == [
        (2, "b", "two"),
        (3, "a", "three"),
    ]
    assert store.read_now(lambda tx: command_output.text_of(tx, "c", "a")) == "onethree"
    assert store.read_now(lambda tx: command_output.text_of(tx, "c", "x")) is None


def test_what_was_left_out_is_said_in_the_text() -> None:
    """A line stands where the bytes would."""
    store = memory_store()
    store.write_now(lambda tx: command_output.add(tx, "a", piece(1, "head")))
    store.write_now(lambda tx: command_output.add(tx, "a", piece(2, "tail", 10**20)))
    text = store.read_now(lambda tx: command_output.text_of(tx, "c", "a"))
    assert text == f"head\n[{2**53 - 1} bytes left out]\ntail"


@pytest.mark.parametrize("fill", ["x", "\0"])
def test_a_host_that_says_too_much_is_not_kept(fill: str) -> None:
    """A hostile agent fills no disk, not even with characters that some would not count."""
    store = memory_store()
    big = fill * (command_output.MAX_TEXT // 2)
    kept = [
        store.write_now(lambda tx, n=number: command_output.add(tx, "a", piece(n, big)))
        for number in (1, 2, 3)
    ]
    assert kept == [True, True, False]


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 0])
def test_a_number_that_no_piece_has_is_not_kept(number: int) -> None:
    """Nor does it end the link of whoever says it."""
    store = memory_store()
    assert not store.write_now(lambda tx: command_output.add(tx, "a", piece(number, "x")))
