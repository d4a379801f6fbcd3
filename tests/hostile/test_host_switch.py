"""Ways to leave the dead-man switch undecided for ever, or to make it take back something else."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from agent import step_store
from agent.core import Core
from protocol import messages
from protocol.messages import Finished, Offer, RefusedStep, Welcome
from protocol.reasons import Reason, Refused
from state_engine.deadman import Switch
from state_engine.engine import apply as engine_apply
from state_engine.engine.ledger import Ledger
from state_engine.host import switch_file
from state_engine.model import Snapshot
from state_engine.resources.contract import Risk
from state_engine.resources.file_unix import FileUnix
from state_engine.resources.registry import KINDS
from tests.fakes.agent import make_core
from tests.fakes.operators import SCOPE, Operator, module

pytestmark = [pytest.mark.hostile, pytest.mark.usefixtures("everything")]
ADA = Operator()


class Risky(FileUnix):
    """A kind of which every change may cut the host off."""

    risk: Risk = "connectivity"


@pytest.fixture
def core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Core:
    monkeypatch.setitem(KINDS, "file-unix", Risky())
    made = make_core(tmp_path / "state")
    made.trust.welcome(Welcome("n", "approved", 0, 1, 0.0, SCOPE))
    made.steps.set_attributes({"platform": "linux"})
    made.steps._still = lambda _: None
    return made


def wanted(tmp_path: Path, text: str, name: str = "conf") -> bytes:
    return f"""
name: site
supports: [{{platform: linux}}]
resources:
  - resource: {{file-unix: {{path: {tmp_path}/{name}, content: "{text}"}}}}
""".encode()


def offer(run: str, operation: str, content: bytes) -> Offer:
    return Offer(
        run,
        "state.apply",
        f"l-{run}",
        1,
        operation,
        (module("site", content, ADA),),
        removal_limit=9,
    )


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> Generator[None, None, None]:
    """What is approved is the business of others here."""
    with monkeypatch.context() as over:
        over.setattr("agent.work._approved", lambda *_: None)
        yield


def meets(core: Core, *answers: bool) -> list[float]:
    """Let the coordinator be met, or not, at the next times that a change waits for it."""
    asked: list[float] = []

    def reached(seconds: float) -> bool:
        asked.append(seconds)
        return answers[len(asked) - 1]

    core.steps.meeting.reached = reached  # type: ignore[method-assign]  # nobody is there to ask
    return asked


def ends(core: Core) -> list[Finished | RefusedStep]:
    told = [messages.decode_body(entry) for entry in core.journal.after(0)]
    return [body for body in told if isinstance(body, Finished | RefusedStep)]


async def carry_out(core: Core, given: Offer) -> Finished | RefusedStep:
    core.database.write(lambda tx: step_store.add(tx, given))
    assert await core.steps.run_next()
    return ends(core)[-1]


async def test_a_rollback_that_breaks_bars_no_later_change(
    core: Core, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither does it end the agent, which would break in the same way at each start."""
    meets(core, False, True)

    def broken(*_: object) -> Snapshot:
        raise ZeroDivisionError

    with monkeypatch.context() as faulty:
        faulty.setattr(Ledger, "snapshot", broken)
        end = await carry_out(core, offer("r", "op-1", wanted(tmp_path, "cut off")))
    assert (end.outcome if isinstance(end, Finished) else None) == "failed"
    assert not switch_file.load(tmp_path / "state").undecided
    end = await carry_out(core, offer("r2", "op-2", wanted(tmp_path, "later")))
    assert (end.outcome if isinstance(end, Finished) else None) == "succeeded"


async def test_an_apply_that_broke_is_taken_back(
    core: Core, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that it has written goes, as if the apply had ended by itself."""
    meets(core, False)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as faulty:
        faulty.setattr(engine_apply, "_removals", broken)
        end = await carry_out(core, offer("r", "op-1", wanted(tmp_path, "cut off")))
    assert (end.outcome if isinstance(end, Finished) else None) == "failed"
    assert not (tmp_path / "conf").exists()
    assert switch_file.load(tmp_path / "state").state == "reverted"
    assert core.steps.snapshot().applied == ()


@pytest.mark.parametrize("why", ["lapsed", "forbidden"])
async def test_a_fall_between_arming_and_the_first_act_leaves_no_switch_behind(
    core: Core, tmp_path: Path, why: str
) -> None:
    """Also if the step may not go on after the restart."""
    meets(core, True, True)
    given = offer("r", "op-1", wanted(tmp_path, "never"))

    def fallen(tx: object) -> None:
        step_store.add(tx, given)  # type: ignore[arg-type]  # the transaction is passed on
        step_store.start(tx, "r")  # type: ignore[arg-type]  # as above

    core.database.write(fallen)
    switch_file.save(tmp_path / "state", Switch("armed", "op-1"))
    refused = Refused(Reason.EXPIRED, "it is over")
    if why == "lapsed":
        core.steps._still = lambda _: refused
    else:
        core.steps._rule = lambda: refused
    assert await core.steps.run_next()
    assert not switch_file.load(tmp_path / "state").undecided
    core.steps._still = lambda _: None
    core.steps._rule = core.admission.rule
    end = await carry_out(core, offer("r2", "op-2", wanted(tmp_path, "later")))
    assert (end.outcome if isinstance(end, Finished) else None) == "succeeded"


async def test_the_name_of_an_earlier_operation_does_not_lead_past_it(
    core: Core, tmp_path: Path
) -> None:
    """A coordinator that names a new apply like an old one, and then hides, undoes no old one."""
    meets(core, True, True, False)
    for run, operation, text in (("r1", "op-1", "one"), ("r2", "op-2", "two")):
        end = await carry_out(core, offer(run, operation, wanted(tmp_path, text)))
        assert (end.outcome if isinstance(end, Finished) else None) == "succeeded"
    end = await carry_out(core, offer("r3", "op-2", wanted(tmp_path, "three")))
    assert (end.outcome if isinstance(end, Finished) else None) == "failed"
    assert (tmp_path / "conf").read_text() == "two"
    assert not switch_file.load(tmp_path / "state").undecided
