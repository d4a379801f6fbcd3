"""Compare-and-set: whatever is tried in whatever order, the record kernel acts as a model does."""

from __future__ import annotations

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from coordinator.store import records
from coordinator.store.records import Conflict, NameTaken, NotFound, Record
from protocol import ids
from tests.fakes.stores import memory_store

NAMES = st.sampled_from(["a", "A", "b", "\uff42"])


class Spec(msgspec.Struct, frozen=True):
    number: int


class Kernel(RuleBasedStateMachine):
    """Records beside a dictionary of what they should be."""

    def __init__(self) -> None:
        super().__init__()
        self.store = memory_store()
        self.live: dict[str, Record] = {}
        self.gone: dict[str, Record] = {}
        self.highest = 0

    def holder(self, name: str) -> Record | None:
        folded = ids.fold_name(name)
        return next(
            (r for r in self.live.values() if r.name and ids.fold_name(r.name) == folded), None
        )

    @rule(name=NAMES, number=st.integers(0, 3))
    def create(self, name: str, number: int) -> None:
        made = self.store.write_now(
            lambda tx: records.create(tx, kind="k", scope="s", name=name, spec=Spec(number))
        )
        if self.holder(name) is not None:
            assert isinstance(made, NameTaken)
            return
        assert isinstance(made, Record)
        assert made.resource_version > self.highest
        self.highest = made.resource_version
        self.live[made.uid] = made

    @rule(data=st.data(), number=st.integers(0, 3), behind=st.integers(0, 2), name=NAMES)
    def change(self, data: st.DataObject, number: int, behind: int, name: str) -> None:
        known = {**self.gone, **self.live}
        if not known:
            return
        old = known[data.draw(st.sampled_from(sorted(known)))]
        expected = old.resource_version - behind
        changed = self.store.write_now(
            lambda tx: records.update(tx, old.uid, expected=expected, spec=Spec(number), name=name)
        )
        if old.uid not in self.live:
            assert changed == NotFound(old.uid)
            return
        if behind:
            assert changed == Conflict(expected, old.resource_version)
            return
        other = self.holder(name)
        if other is not None and other.uid != old.uid:
            assert isinstance(changed, NameTaken)
            return
        assert isinstance(changed, Record)
        assert changed.spec_as(Spec) == Spec(number)
        assert changed.generation == old.generation + (old.spec_as(Spec) != Spec(number))
        same = (changed.name, changed.spec) == (old.name, old.spec)
        assert same == (changed.resource_version == old.resource_version)
        self.highest = max(self.highest, changed.resource_version)
        self.live[old.uid] = changed

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        if not self.live:
            return
        uid = data.draw(st.sampled_from(sorted(self.live)))
        gone = self.store.write_now(lambda tx: records.delete(tx, uid))
        assert isinstance(gone, Record)
        self.highest = gone.resource_version
        self.gone[uid] = gone
        del self.live[uid]

    @invariant()
    def the_store_holds_what_the_model_holds(self) -> None:
        listed = self.store.read_now(lambda tx: records.listing(tx, "k"))
        assert {record.uid: record for record in listed} == self.live


TestKernel = Kernel.TestCase
TestKernel.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
