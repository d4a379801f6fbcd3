"""Doing several items in one go where their kind can: one package transaction instead of ten.

Each item keeps its own result: it is begun, looked at again and reported by itself. If the common
step fails, each one's own steps decide, as if nobody had tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from state_engine.engine.act import Begun, begin, do, finish
from state_engine.engine.ledger import Ledger, Settings
from state_engine.engine.look import Look, bound, look, triggers_of
from state_engine.engine.prepared import Prepared
from state_engine.model import ResolvedResource
from state_engine.resources.contract import Batching, Context, batching

# Names on one command line: 200 of 128 bytes are far from what the kernel takes.
MAX_TOGETHER = 200


class Following:
    """What comes after an item in the apply order, and may be done together with it."""

    __slots__ = ("_converged", "_resources", "_start")

    def __init__(
        self,
        resources: Sequence[ResolvedResource],
        start: int,
        converged: Callable[[Prepared], bool],
    ) -> None:
        self._resources = resources
        self._start = start
        self._converged = converged

    def act(self, prepared: Prepared, found: Look, settings: Settings, ledger: Ledger) -> bool:
        """Do an item together with those that follow it, if it can; False: it is to be done alone.

        Only what stands next to it goes along, but for what is as desired: whatever comes in
        between may be what the later ones wait for, even without saying so.
        """
        kind = batching(prepared.kind)
        alone = ledger.alone or prepared.resource.timeout is not None
        if kind is None or found.difference.together is None or alone:
            return False
        members = [(prepared, found), *self._alike(prepared, settings, ledger)]
        if len(members) == 1:
            return False
        started = [begun for one, seen in members if (begun := begin(one, seen, settings, ledger))]
        if started:
            self._do(kind, started, settings, ledger)
        return ledger.dealt_with(prepared.key)

    def _alike(
        self, first: Prepared, settings: Settings, ledger: Ledger
    ) -> Iterator[tuple[Prepared, Look]]:
        """Return the items that go along, with what was found of them."""
        for index in range(self._start, min(len(self._resources), self._start + MAX_TOGETHER)):
            other = settings.memory.get(self._resources[index])
            if settings.cancelled():
                return
            if other.key in ledger.resume.finished or self._converged(other):
                continue
            seen = _ready(other, first, settings, ledger)
            if seen is None:
                return
            if seen.item.action != "none":
                yield other, seen

    def _do(
        self, kind: Batching, started: Sequence[Begun], settings: Settings, ledger: Ledger
    ) -> None:
        ledger.attempted.update(begun.prepared.key for begun in started)
        words = tuple(begun.found.difference.together or "" for begun in started)
        failure = do(kind.batch(words), settings.ports, started[0].outcome)
        if failure is None:
            for begun in started:
                finish(begun, None, settings, ledger)
            return
        # Nobody knows whose fault it is: each one's own attempt tells. Until then nothing acted.
        ledger.alone = True
        for begun in started:
            ledger.items.remove(begun.found.item)


def _ready(other: Prepared, first: Prepared, settings: Settings, ledger: Ledger) -> Look | None:
    """Return the look at an item that may go along, or that has nothing to do; else None."""
    resource, key = other.resource, other.key
    alike = resource.kind == first.resource.kind and resource.timeout is None
    if not alike or key in ledger.resume.started or not ledger.all_good(resource.depends_on):
        return None
    triggers = triggers_of(other, ledger.changed, pending=key in ledger.pending)
    context = Context(applied=ledger.succeeded(key), managed=settings.claims)
    seen = look(other, settings.ports, context, ledger.held(key))
    seen = bound(seen, other, settings.ports, triggers)
    seen = replace(seen, item=settings.secrecy.item(seen.item))
    if triggers or seen.item.action == "none":
        return None if triggers else seen
    together = seen.difference.together is not None
    return seen if together and settings.covers(seen.item) else None
