"""What was not approved does not act, and what a plan shows is nobody's secret."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from protocol.reports import CapturedStream, ResourceDiff
from state_engine.cli import main
from state_engine.engine.apply import apply_plan
from state_engine.engine.cancel import StoppedError
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.engine.progress import Progress, Started, fold
from state_engine.host.linux import LinuxPorts
from state_engine.language.resolve import resolve
from state_engine.language.validate import check_text
from state_engine.model import AppliedResource, NodeFacts, ResolvedResource, Snapshot
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import a_directory, a_file, a_script

pytestmark = pytest.mark.hostile


def test_a_resumed_item_does_only_what_it_had_begun() -> None:
    """After a kill the tags resolve to another content: it was never approved, so it is stale."""
    ports = FakePorts()
    begun, other = a_file("/f", "approved"), a_file("/f", "somebody's")
    approved = frozenset(
        item.digest for item in make_plan("n", (begun,), Snapshot(), ports).resources
    )
    resume = fold([Started(begun.key, "", AppliedResource(begun, created=True))])
    for resource, status in ((other, "stale"), (begun, "changed")):
        outcome = apply_plan(
            "op", "n", (resource,), Snapshot(), ports, approved=approved, resume=resume
        )
        assert [result.status for result in outcome.result.resources] == [status]
    assert ports.tree()["/f"][4] == b"approved"


def test_a_script_begun_under_another_body_is_not_run() -> None:
    """A script is not run twice, whatever its body is now."""
    ports = FakePorts()
    resume = fold([Started(a_script("s").key, "", AppliedResource(a_script("s")))])
    other = a_script("s", apply="other")
    outcome = apply_plan(
        "op", "n", (other,), Snapshot(), ports, approved=frozenset(), resume=resume
    )
    assert [result.status for result in outcome.result.resources] == ["interrupted"]
    assert ports.programs.calls == []


def test_a_check_that_was_cancelled_gives_no_verdict() -> None:
    """The last check of a plan or of a drift look is cut short: nothing is said of it."""
    script = a_script("s", check="check")
    asked: list[None] = []

    def cancelled() -> bool:
        return len(asked) > 0

    ports = FakePorts()

    def cut() -> CapturedStream:
        asked.append(None)
        return CapturedStream(143, "", "")

    ports.programs.known["check"] = cut
    with pytest.raises(StoppedError):
        make_plan("n", (script,), Snapshot(), ports, cancelled=cancelled)
    asked.clear()
    snapshot = Snapshot(applied=(AppliedResource(script),))
    with pytest.raises(StoppedError):
        find_drift(snapshot, ports, cancelled=cancelled)


def only(ports: LinuxPorts | FakePorts, item: ResolvedResource, held: Snapshot) -> ResourceDiff:
    return make_plan("n", (item,), held, ports).resources[0]


@pytest.mark.parametrize(
    ("file_mode", "way_mode"), [(0o600, 0o755), (0o640, 0o755), (0o644, 0o700)]
)
def test_a_private_file_is_not_quoted_in_a_plan(
    tmp_path: Path, file_mode: int, way_mode: int
) -> None:
    """What not every user of the host may read is named by digest, not shown."""
    tmp_path.chmod(0o755)
    (tmp_path / "way").mkdir()
    path = tmp_path / "way" / "f"
    path.write_bytes(b"password=hunter2\n")
    path.chmod(file_mode)
    (tmp_path / "way").chmod(way_mode)
    found = only(LinuxPorts(tmp_path / "s", b"k" * 32), a_file(str(path)), Snapshot())
    assert found.action == "update"
    assert b"hunter2" not in msgspec.json.encode(found)
    assert "not shown" in (found.message or "")


def test_a_file_that_all_may_read_is_shown_in_a_plan() -> None:
    """Hiding is for what is hidden on the host too."""
    if not os.access("/etc/passwd", os.R_OK):
        pytest.skip("no public file that can be counted on")
    found = only(LinuxPorts(Path("/nowhere"), b"k" * 32), a_file("/etc/passwd"), Snapshot())
    assert any(line.startswith("-root:") for line in found.changes[0].diff)


def test_a_private_file_that_we_wrote_shows_its_difference() -> None:
    """The old text is then the module's own, and known to whoever reads the plan."""
    ports = FakePorts()
    old, new = a_file("/f", "workers 4\n", mode="0600"), a_file("/f", "workers 8\n", mode="0600")
    held = apply_plan("op", "n", (old,), Snapshot(), ports, approved=None).snapshot
    assert "-workers 4" in only(ports, new, held).changes[0].diff
    ports.files.put("/f", Node("file", 0o600, 0, 0, b"password=hunter2\n"))
    assert "hunter2" not in str(only(ports, new, held))


def test_a_value_that_was_secret_stays_so_when_the_module_forgets_it() -> None:
    """The file still holds the old version's secret: its text is masked, its state keyed."""
    ports, twin = FakePorts(), FakePorts(key=b"the key of another host that holds the same")
    old = a_file("/f", "password=hunter2\n", sensitive=("content",), mode="0644")
    new = a_file("/f", "nothing\n", mode="0644")
    held = apply_plan("op", "n", (old,), Snapshot(), ports, approved=None).snapshot
    apply_plan("op", "n", (old,), Snapshot(), twin, approved=None)
    found = only(ports, new, held)
    assert (found.action, found.changes[0].sensitive) == ("update", True)
    assert "hunter2" not in str(found)
    assert found.observed != only(twin, new, held).observed
    after = apply_plan("op", "n", (new,), held, ports, approved=frozenset({found.digest}))
    assert after.result.status == "succeeded"


HOSTILE = "\\e]0;owned\\a\\e[2J\\u009b31m"


@pytest.mark.parametrize("command", ["validate", "check", "deps", "plan"])
@pytest.mark.parametrize("field", ["path: 'PATH'", "path: /x, owner: 'PATH'", "path: /PATH"])
def test_a_module_cannot_drive_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, field: str
) -> None:
    """Escape sequences in what is quoted are spelled out."""
    file = tmp_path / "m.ordo.yaml"
    written = field.replace("'PATH'", f'"{HOSTILE}"').replace("/PATH", f'"/{HOSTILE}"')
    file.write_text(
        "name: m\nsupports: [{platform: linux}]\nresources:\n"
        f"- resource: {{file-unix: {{{written}}}}}\n",
        encoding="utf-8",
    )
    state = ["--state-dir", str(tmp_path / "s")] if command == "plan" else []
    main.run([command, str(file), *state])
    printed = "".join(capsys.readouterr())
    assert printed
    assert all(character.isprintable() or character in "\n\t" for character in printed)


def test_the_name_of_a_module_file_cannot_drive_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Directories are walked, so their names are somebody else's text."""
    (tmp_path / "\x1b[2J.ordo.yaml").write_text("name: [", encoding="utf-8")
    assert main.run(["validate", str(tmp_path)]) == 1
    assert "\x1b" not in "".join(capsys.readouterr())


def test_a_template_is_resolved_once_however_often_it_is_used() -> None:
    """2,000 files from one text of 6,000 expressions share one resolved text."""
    big = "${{ node.name }}" * 6_000
    head = f"name: b\nsupports: [{{platform: linux}}]\ntemplates:\n- {{id: t, content: '{big}'}}\n"
    items = [f"- resource: {{file-unix: {{path: /a{i}, template: t}}}}" for i in range(2_000)]
    module, problems = check_text((head + "resources:\n" + "\n".join(items)).encode())
    assert (module is not None, problems) == (True, [])
    assert module is not None
    facts = NodeFacts("n", "n", {"platform": "linux"})
    resolved = resolve([module], facts, trusted=frozenset())
    assert len(resolved.resources) == 2_000
    assert len({id(item.spec["content"]) for item in resolved.resources}) == 1


def test_the_difference_of_a_directory_stays_visible() -> None:
    """Only content is hidden: modes and owners are not."""
    ports = FakePorts()
    ports.files.put("/d", Node("directory", 0o700, 0, 0))
    found = only(ports, a_directory("/d", mode="0755"), Snapshot())
    assert (found.changes[0].current, found.changes[0].desired) == ("0700", "0755")


def test_progress_is_told_before_a_file_is_touched() -> None:
    """The message that makes a resume possible comes first."""
    ports = FakePorts()
    seen: list[bool] = []

    def note(message: Progress) -> None:
        if isinstance(message, Started):
            seen.append("/f" in ports.tree())

    apply_plan("op", "n", (a_file("/f"),), Snapshot(), ports, approved=None, progress=note)
    assert seen == [False]


def test_what_had_begun_as_a_change_is_not_removed_unasked() -> None:
    """After a kill the path resolves to another one: the old one's removal was never approved."""
    ports = FakePorts()
    ports.files.put("/old", Node("file", 0o644, 0, 0, b"x\n"))
    held = AppliedResource(a_file("/old"), created=True)
    resume = fold([Started(held.resource.key, "", held)])
    snapshot = Snapshot(applied=(held,))
    outcome = apply_plan("op", "n", (), snapshot, ports, approved=frozenset(), resume=resume)
    assert [result.status for result in outcome.result.resources] == ["stale"]
    asked = fold([Started(held.resource.key, "", held, removal=True)])
    outcome = apply_plan("op", "n", (), snapshot, ports, approved=frozenset(), resume=asked)
    assert [result.status for result in outcome.result.resources] == ["removed"]


def test_a_create_that_failed_does_not_claim_what_a_person_puts_there() -> None:
    """Nothing was made, so what stands there later is somebody's: it is kept, and restored."""
    ports = FakePorts()
    ports.files.full = True
    first = apply_plan("op", "n", (a_file("/f"),), Snapshot(), ports, approved=None)
    assert first.result.status == "failed"
    assert first.snapshot.applied == ()
    ports.files.full = False
    ports.files.put("/f", Node("file", 0o644, 0, 0, b"a person's"))
    second = apply_plan("op", "n", (a_file("/f"),), first.snapshot, ports, approved=None)
    apply_plan("op", "n", (), second.snapshot, ports, approved=None)
    assert ports.tree()["/f"][4] == b"a person's"


def test_an_approved_repair_also_runs_the_script_that_it_triggers(
    tmp_path: Path,
) -> None:
    """The repaired file turns the script's check; the approved run is still the approved run."""
    ports = LinuxPorts(tmp_path / "state", b"k" * 32)
    target, sums = tmp_path / "site.conf", tmp_path / "sums"
    settings = a_file(str(target), "workers 4\n", mode="0644")
    script = a_script(
        "sums",
        rerun_on=(settings,),
        check=f"grep -qx 'workers 4' {target} && ! grep -q 400 {target} && test -e {sums}",
        apply=f"echo ran >> {sums}",
    )
    resources = [settings, script]
    first = apply_plan("op1", "node", resources, Snapshot(), ports, approved=None)
    target.write_text("workers 400\n", encoding="utf-8")
    plan = make_plan("node", resources, first.snapshot, ports)
    assert [item.action for item in plan.resources] == ["update", "run"]
    approved = frozenset(item.digest for item in plan.resources)
    again = apply_plan("op2", "node", resources, first.snapshot, ports, approved=approved)
    assert [item.status for item in again.result.resources] == ["changed", "changed"]
    assert sums.read_text(encoding="utf-8") == "ran\nran\n"
