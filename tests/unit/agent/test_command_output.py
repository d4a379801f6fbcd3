"""Output is said in whole characters, in order, and bounded at both ends."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.command_output import PIECE, Collector, continued, forget, whole


def collected(
    path: Path, parts: list[bytes], *, head: int = 8, tail: int = 8, spill: int = 32
) -> tuple[Collector, list[tuple[int, str]]]:
    """What is said of some output by a collector with small limits."""
    said: list[tuple[int, str]] = []
    collector = Collector(
        path, lambda at, _, text: said.append((at, text)), head=head, tail=tail, spill=spill
    )
    for part in parts:
        collector.add(part, 0.0)
    collector.finish()
    collector.close()
    return collector, said


def test_what_fits_is_said_whole(tmp_path: Path) -> None:
    """Exactly at the limit nothing is left out."""
    found, said = collected(tmp_path / "f", [b"0123456789", b"abcdef"])
    assert "".join(text for _, text in said) == "0123456789abcdef"
    assert (found.omitted, found.unkept, found.size) == (0, 0, 16)


def test_one_byte_more_is_left_out_and_counted(tmp_path: Path) -> None:
    """The end begins where it stands in the whole."""
    found, said = collected(tmp_path / "f", [b"0123456789", b"abcdefg"])
    assert said == [(0, string.octdigits), (9, "9abcdefg")]
    assert (found.omitted, found.unkept) == (1, 0)
    assert (tmp_path / "f").read_bytes() == b"0123456789abcdefg"


def test_what_is_neither_shown_nor_kept_is_counted(tmp_path: Path) -> None:
    """100 bytes: 32 kept, 8 at the end."""
    found, _ = collected(tmp_path / "f", [b"x" * 100])
    assert (found.omitted, found.unkept, found.spilled) == (84, 60, 32)


def test_a_character_on_the_cut_is_left_out_whole(tmp_path: Path) -> None:
    """Neither half of it is shown as something that it is not."""
    data = b"0123456" + "€".encode() + b"-" * 10 + "€".encode() + b"1234567"
    found, said = collected(tmp_path / "f", [data])
    assert said == [(0, "0123456"), (23, "1234567")]
    assert found.omitted == 16


def test_a_slow_talker_is_heard_after_a_while(tmp_path: Path) -> None:
    """A fifth of a second at first; the beginning of a character waits for its rest."""
    said: list[tuple[int, str]] = []
    collector = Collector(tmp_path / "f", lambda at, _, text: said.append((at, text)))
    collector.add(b"a\xe2\x82", 10.0)
    collector.tick(10.1)
    assert not said
    collector.tick(10.25)
    assert said == [(0, "a")]
    collector.add(b"\xac", 10.3)
    collector.tick(10.6)
    assert said == [(0, "a"), (1, "€")]
    collector.close()


def test_a_large_piece_is_said_in_parts(tmp_path: Path) -> None:
    """No piece is larger than a journal takes easily."""
    _, said = collected(tmp_path / "f", [b"x" * 100_000], head=200_000)
    assert max(len(text) for _, text in said) == PIECE
    assert sum(len(text) for _, text in said) == 100_000


@given(st.lists(st.binary(max_size=12), max_size=12))
def test_any_output_is_shown_as_one_decoding_would(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes]
) -> None:
    """Below the limit, cuts change no character; offsets follow each other."""
    path = tmp_path_factory.getbasetemp() / "any"
    whole_output = b"".join(parts)
    found, said = collected(path, parts, head=1_000, tail=1_000)
    assert "".join(text for _, text in said) == whole_output.decode("utf-8", "replace")
    assert found.size == len(whole_output)


@given(st.text(min_size=1), st.integers(0, 3))
def test_a_cut_text_is_whole_up_to_the_last_character(text: str, cut: int) -> None:
    """What `whole` leaves is the beginning of one character at most."""
    data = text.encode()
    data = data[: len(data) - cut]
    assert data[: whole(data)].decode() == data.decode("utf-8", "ignore")
    back = text.encode()[cut:]
    assert text.endswith(back[continued(back) :].decode())


def test_forgetting_twice_is_no_error(tmp_path: Path) -> None:
    """A crash in between must not keep the next start from going on."""
    path = tmp_path / "f"
    path.touch()
    forget(path)
    forget(path)
    assert not path.exists()
