"""What is worked out once per resource."""

from __future__ import annotations

import msgspec

from state_engine.engine.prepared import SPARE, Memory, memory_of
from tests.fakes.ports import FakePorts
from tests.fakes.resources import a_file, a_script, resource


def test_the_same_resource_is_prepared_once() -> None:
    """By identity of the object: an equal one is another entry."""
    memory, one = Memory(), a_file("/f")
    assert memory.get(one) is memory.get(one)
    assert memory.get(msgspec.structs.replace(one)) is not memory.get(one)


def test_each_host_has_its_own_memory_for_its_lifetime() -> None:
    """Fingerprints depend on the host's key, so nothing is shared."""
    one, two = FakePorts(), FakePorts()
    assert memory_of(one) is memory_of(one)
    assert memory_of(one) is not memory_of(two)


def test_memory_stays_in_proportion_to_use() -> None:
    """A thousand generations of a document leave one generation behind."""
    memory = Memory()
    used = [a_file(f"/{n}") for n in range(10)]
    first = [memory.get(item) for item in used]
    for n in range(SPARE + 11):
        memory.get(a_file(f"/old{n}"))
        memory.prune(used, len(used))
    assert len(memory._entries) <= 2 * len(used) + SPARE + 1
    assert [memory.get(item) for item in used] == first


def test_only_what_a_cheap_look_can_confirm_has_a_glance() -> None:
    """Not scripts, not unknown kinds, not what reacts to triggers, not damaged specifications."""
    memory = Memory()
    assert memory.get(a_file("/f")).glance is not None
    assert memory.get(a_script("s", check="c")).glance is None
    assert memory.get(a_script("s", check="c")).runs_code
    assert memory.get(resource("unknown", "x", {})).kind is None
    assert memory.get(resource("file-unix", "/f", {"path": 5})).glance is None
