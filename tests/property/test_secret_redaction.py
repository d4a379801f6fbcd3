"""Whatever a secret looks like and whatever stood there: no plan, drift or result says it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from protocol.reports import CapturedStream
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.model import Snapshot
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import a_file, a_script

# Letters that no message of ours holds, and the marks that quoting and patterns trip over.
VALUES = st.text("αβγδε\n\"'\\ +/%$.*(){}<>&;=-@", min_size=4, max_size=60).filter(
    lambda text: len(text.strip()) >= 4 and any(letter in "αβγδε" for letter in text)
)
LINES = st.lists(st.text("xyz =-+@\\", max_size=20), max_size=4)


def texts(value: object) -> Iterator[str]:
    """Return every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts(key)
            yield from texts(item)


def leaks(said: object, *values: str) -> list[str]:
    """Return the texts that hold a value, or a line of one that is long enough to be one."""
    parts = {part.strip() for value in values for part in (value, *value.splitlines())}
    wanted = [part for part in parts if len(part) >= 4 and any(one in "αβγδε" for one in part)]
    found = texts(msgspec.to_builtins(said))
    return [text for text in found if any(part in text for part in wanted)]


@given(old=VALUES, new=VALUES, before=LINES, after=LINES, public=st.booleans())
def test_neither_the_old_nor_the_new_value_is_ever_said(
    old: str, new: str, before: list[str], after: list[str], public: bool
) -> None:
    """In a file, in what a script prints, in a drift that quotes the old one."""
    ports = FakePorts()
    first, second = ports.secret("db", old, 1), ports.secret("db", new, 2)

    def wanted(lines: list[str], reference: object) -> object:
        text = "\n".join([*lines, f"key={reference}", ""])
        return a_file("/f", text, mode="0600", sensitive=("content",))

    loud = a_script("loud", apply="loud")
    printed = [old]
    ports.programs.known["loud"] = lambda: CapturedStream(
        1, "".join(f"<{value}>" for value in printed), f"x\n{printed[-1]}"
    )
    said: list[object] = []
    one = [wanted(before, first.reference), loud]
    two = [wanted(after, second.reference), loud]
    held = apply_plan("a", "n", one, Snapshot(), ports, approved=None, progress=said.append)  # type: ignore[arg-type]
    printed.append(new)
    node = ports.files.nodes["/f"]
    assert old.encode() in node.content
    drifted = node.content + f"\nold {old}\n".encode()
    ports.files.put("/f", Node("file", 0o644 if public else 0o600, 0, 0, drifted))
    said += [held, make_plan("n", two, held.snapshot, ports), find_drift(held.snapshot, ports)]  # type: ignore[arg-type]
    said.append(apply_plan("b", "n", two, held.snapshot, ports, approved=None))  # type: ignore[arg-type]
    assert new.encode() in ports.files.nodes["/f"].content
    assert leaks(said, old, new) == []
