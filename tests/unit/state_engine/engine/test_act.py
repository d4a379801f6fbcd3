"""Acting on one item."""

from __future__ import annotations

from state_engine.engine.apply import apply_plan
from state_engine.engine.progress import Finished, Progress, Started
from state_engine.model import AppliedResource, Snapshot
from state_engine.ports import PortError
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import a_file, a_script, resource


def test_progress_comes_before_and_after_each_act() -> None:
    """At `started` the host is untouched and the copy is kept; at `finished` all is done."""
    ports = FakePorts()
    ports.files.put("/f", Node("file", 0o600, 5, 6, b"original"))
    seen: list[tuple[str, bytes]] = []

    def note(progress: Progress) -> None:
        kind = "started" if isinstance(progress, Started) else "finished"
        seen.append((kind, ports.files.nodes["/f"].content))
        if isinstance(progress, Started):
            assert ports.backups.content(progress.applied.pre_image or "") == b"original"
            assert (progress.applied.pre_mode, progress.applied.pre_uid) == (0o600, 5)
            assert len(progress.digest) == 64
        elif isinstance(progress, Finished):
            assert progress.applied is not None
            assert progress.result.status == "changed"

    apply_plan("op", "node", [a_file("/f", "ours")], Snapshot(), ports,
               approved=None, progress=note)  # fmt: skip
    assert seen == [("started", b"original"), ("finished", b"ours")]


def test_a_copy_that_cannot_be_kept_stops_the_item_before_it_acts() -> None:
    """No overwriting without a way back."""

    class NoRoom(FakePorts):
        def __init__(self) -> None:
            super().__init__()
            self.backups.keep = self.refuse  # type: ignore[method-assign] # one refusing port

        def refuse(self, path: str) -> str:
            raise PortError(f"no room for {path}", "ENOSPC")

    ports = NoRoom()
    ports.files.put("/f", Node("file", 0o600, 0, 0, b"original"))
    told: list[Progress] = []
    outcome = apply_plan("op", "node", [a_file("/f", "ours")], Snapshot(), ports,
                         approved=None, progress=told.append)  # fmt: skip
    assert (outcome.result.resources[0].status, told) == ("failed", [])
    assert ports.files.nodes["/f"].content == b"original"


def test_a_removal_tells_that_its_record_is_gone() -> None:
    """And keeps it if it failed."""
    ports = FakePorts()
    ports.programs.known["back"] = lambda: 1
    held = (
        AppliedResource(a_file("/f"), created=True),
        AppliedResource(a_script("s", undo="back")),
    )
    ports.files.put("/f", Node("file", 0o644, 0, 0, b"x\n"))
    told: list[Progress] = []
    apply_plan("op", "node", [], Snapshot(applied=held), ports,
               approved=None, progress=told.append)  # fmt: skip
    finished = {m.key.identity: m.applied for m in told if isinstance(m, Finished)}
    assert finished == {"s": held[1], "/f": None}
    assert all(m.removal for m in told if isinstance(m, Started))


def test_a_file_that_vanished_and_had_an_original_still_restores_it() -> None:
    """Deleting our file by hand does not lose the memory of what stood there before."""
    ports = FakePorts()
    ports.files.put("/f", Node("file", 0o644, 0, 0, b"original"))
    resources = [a_file("/f", "ours")]
    snapshot = apply_plan("1", "n", resources, Snapshot(), ports, approved=None).snapshot
    del ports.files.nodes["/f"]
    snapshot = apply_plan("2", "n", resources, snapshot, ports, approved=None).snapshot
    apply_plan("3", "n", [], snapshot, ports, approved=None)
    assert ports.files.nodes["/f"].content == b"original"


def test_a_part_of_a_file_remembers_whether_the_file_was_there() -> None:
    """The file is no pre-image: its attributes are the mark that only a part of it is ours."""
    ports = FakePorts()
    ports.files.put("/old", Node("file", 0o640, 1000, 0, b"theirs\n"))
    lines = [
        resource("line-in-file", f"{path}: x", {"path": path, "line": "x", "create": True})
        for path in ("/old", "/new")
    ]
    outcome = apply_plan("op", "n", lines, Snapshot(), ports, approved=None)
    old, new = outcome.snapshot.applied
    assert (old.created, old.pre_image, old.pre_mode, old.pre_uid) == (True, None, 0o640, 1000)
    assert (new.created, new.pre_mode) == (True, None)
    apply_plan("op", "n", [], outcome.snapshot, ports, approved=None)
    assert ports.files.read("/old", 100) == b"theirs\n"
    assert ports.files.stat("/new") is None
