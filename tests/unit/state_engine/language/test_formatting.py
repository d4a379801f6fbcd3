"""Formatting: one layout, the same meaning, every comment."""

from __future__ import annotations

import pytest

from state_engine.language.formatting import format_text

ROUGH = b"""\


# top
name: web   \r
supports:
- platform: linux   # beside


# about templates
templates:
    - id: t
      content: |
          a
            b   

          c
    -    id: u
         content: "x
           y"
resources:
# first
-   id: f   
    # inner
    for_each: [a,
        b]
    resource:
        file-unix:
            path: /${{ each.key }}
            template: t
# last

"""  # noqa: W291 - spaces at line ends are what is formatted
SMOOTH = b"""\
# top
name: web
supports:
  - platform: linux   # beside

# about templates
templates:
  - id: t
    content: |
        a
          b   

        c
  - id: u
    content: "x
      y"
resources:
  # first
  - id: f
    # inner
    for_each: [a,
        b]
    resource:
      file-unix:
        path: /${{ each.key }}
        template: t
# last
"""  # noqa: W291 - spaces inside of a text are a part of it


def formatted(data: bytes) -> bytes:
    """Return a file laid out."""
    made, problems = format_text(data)
    assert problems == []
    assert made is not None
    return made


def test_a_file_gets_the_one_layout_and_keeps_its_comments() -> None:
    assert formatted(ROUGH) == SMOOTH
    assert formatted(SMOOTH) == SMOOTH


@pytest.mark.parametrize(
    "data",
    [
        b"a: |+\n  x\n\n\n",
        b"a: |2\n   x\nb: 1\n",
        b"a:\n  - |\n   x\n  - >-\n   y\n   z\n",
        b"a: 'x\n\n  y'\nb: x\n   y\n",
        b"a: &x\n    - 1\nb: *x\n",
        b"- - a\n  - b\n-\n  c: 1\n",
        b"--- \na: 1\n",
        b"a: |\n  x",
        b"a: {b: [1,\n  2],\n  c: 3}\n",
        b"? a\n: b\n",
        b"a: '0644'\nb: 0644\nc: \"1\"\nd: 1\n",
    ],
)
def test_what_is_laid_out_in_an_odd_way_means_the_same_and_stays_put(data: bytes) -> None:
    """`format_text` compares the meaning itself; here only that it settles."""
    made = formatted(data)
    assert formatted(made) == made


UNREADABLE = [b"a: [", b"\xff", b"a: 1\na: 2\n", b"", b"a: !t 1\n", b"a:\n\tb\n"]


@pytest.mark.parametrize("data", UNREADABLE)
def test_a_file_that_cannot_be_read_is_left_alone(data: bytes) -> None:
    made, problems = format_text(data)
    assert made is None
    assert problems
