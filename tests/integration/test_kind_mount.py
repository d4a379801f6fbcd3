"""The kind mount on a kernel's mount table of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.canonical import Json
from state_engine.engine.steps import Outcome, carry_out
from state_engine.host.linux import LinuxPorts
from state_engine.model import AppliedResource
from state_engine.ports import PortError
from state_engine.resources.contract import Context, Difference
from state_engine.resources.mount import Mount
from tests.fakes import namespaces
from tests.fakes.namespaces import inside, run
from tests.fakes.resources import resource

pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs_root,
    pytest.mark.usefixtures("_able"),
]

OTHERS = "# theirs\nUUID=1234\t/\text4\terrors=remount-ro\t0\t1\nproc /proc proc defaults 0 0\n"


@pytest.fixture
def _able() -> None:
    reason = namespaces.missing("mount", "umount")
    if reason is not None:
        pytest.skip(reason)


class Host:
    """The mounts of the calling thread, with an fstab below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fstab = folder / "etc/fstab"
        for name in ("etc", "proc"):
            (folder / name).mkdir()
        self.fstab.write_text(OTHERS, encoding="utf-8")
        self.ports = LinuxPorts(folder / "state", b"k" * 32)
        self.kind = Mount(f"{folder}/")

    def enter(self) -> None:
        run("mount", "--bind", "/proc", f"{self.folder}/proc")

    def path(self, name: str) -> str:
        return f"{self.folder}/{name}"

    def judged(self, spec: dict[str, Json]) -> Difference:
        assert self.kind.validate(spec) == []
        found = self.kind.observe(spec, self.ports, verify=True)
        return self.kind.compare(spec, found, Context())

    def apply(self, **spec: Json) -> Difference:
        difference = self.judged(spec)
        assert difference.action != "error", difference
        carry_out(self.kind.steps(spec, difference), self.ports, Outcome())
        again = self.judged(spec)
        assert again.action == "none", again
        return difference

    def shown(self, path: str) -> str:
        return run("findmnt", "--noheadings", "--output", "FSTYPE,OPTIONS", path)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_mount_is_made_changed_in_place_and_taken_away(host: Host) -> None:
    """What lies in it survives a change of options; the rest of fstab stays byte by byte."""
    path = host.path("with space")
    spec: dict[str, Json] = {"path": path, "source": "tmpfs", "fstype": "tmpfs"}

    def story() -> None:
        host.enter()
        made = host.apply(**spec, options=["size=8m", "mode=0750", "nodev"])
        assert made.action == "create"
        assert "nodev" in host.shown(path)
        Path(path, "data").write_text("kept", encoding="utf-8")
        host.apply(**spec, options=["nosuid", "noatime", "size=16M", "ro", "x-gvfs-hide"])
        assert {"nosuid", "noatime", "ro"} <= set(host.shown(path).split()[1].split(","))
        assert "nodev" not in host.shown(path)
        assert "size=16384k" in host.shown(path)
        host.apply(**spec)
        shown = set(host.shown(path).split()[1].split(","))
        assert {"rw", "relatime"} <= shown
        assert not {"nosuid", "noatime"} & shown
        assert Path(path, "data").read_text(encoding="utf-8") == "kept"
        assert host.fstab.read_text(encoding="utf-8").startswith(OTHERS)
        assert run("findmnt", "--fstab", "--tab-file", str(host.fstab), "-no", "TARGET", path)

        # Mounted behind our back with other options, and in other words.
        assert host.judged({**spec, "options": ["rw", "async", "dev", "auto"]}).action == "none"
        run("mount", "-o", "remount,noexec", path)
        assert [each.field for each in host.judged(spec).changes] == ["options"]
        host.apply(**spec)
        host.apply(path=path, ensure="absent")
        assert host.fstab.read_text(encoding="utf-8") == OTHERS
        assert path not in run("findmnt", "-rno", "TARGET")

    inside(story)


def test_a_bind_mount_knows_its_source(host: Host) -> None:
    """Another directory in its place is unmounted first; a read-only one is read-only."""
    for name in ("one", "two", "there"):
        Path(host.path(name)).mkdir()
    path = host.path("there")

    def story() -> None:
        host.enter()
        bind: dict[str, Json] = {"path": path, "fstype": "none", "boot": False}
        host.apply(**bind, source=host.path("one"), options=["bind", "ro"])
        with pytest.raises(OSError, match="Read-only"):
            Path(path, "x").write_text("x", encoding="utf-8")
        host.apply(**bind, source=host.path("two"), options=["bind"])
        Path(path, "x").write_text("x", encoding="utf-8")
        assert Path(host.path("two"), "x").exists()
        assert host.fstab.read_text(encoding="utf-8") == OTHERS
        run("mount", "-t", "tmpfs", "none", path)
        absent = host.apply(path=path, ensure="absent")
        assert len(absent.steps) == 2

    inside(story)


def test_what_cannot_be_mounted_is_not_listed_for_the_boot(host: Host) -> None:
    """The kernel's words are the error; fstab is as it was."""

    def story() -> None:
        host.enter()
        spec: dict[str, Json] = {"path": host.path("x"), "source": "none", "fstype": "nosuchfs"}
        difference = host.judged(spec)
        with pytest.raises(PortError, match="exit 32"):
            carry_out(host.kind.steps(spec, difference), host.ports, Outcome())
        assert host.fstab.read_text(encoding="utf-8") == OTHERS

    inside(story)


def test_only_what_we_mounted_is_unmounted(host: Host) -> None:
    """No longer desired: ours goes with its line, theirs stays with it."""
    path = host.path("there")
    spec: dict[str, Json] = {"path": path, "source": "tmpfs", "fstype": "tmpfs"}

    def story() -> None:
        host.enter()
        host.apply(**spec)
        found = host.kind.observe(spec, host.ports, verify=True)
        applied = AppliedResource(resource("mount", path, spec))
        assert host.kind.undo(spec, found, applied).steps == ()
        ours = AppliedResource(resource("mount", path, spec), created=True)
        carry_out(host.kind.undo(spec, found, ours).steps, host.ports, Outcome())
        assert host.fstab.read_text(encoding="utf-8") == OTHERS
        assert path not in run("findmnt", "-rno", "TARGET")

    inside(story)


OPTIONS = st.lists(
    st.sampled_from([
        "ro", "rw", "nosuid", "suid", "nodev", "noexec", "exec", "noatime", "strictatime",
        "relatime", "nodiratime", "sync", "lazytime", "defaults", "nofail", "user", "size=4m",
        "size=4096k", "mode=700", "mode=0711", "x-systemd.device-timeout=5", "noauto",
    ]),
    max_size=6,
)  # fmt: skip


@settings(max_examples=25)
@given(OPTIONS, OPTIONS, st.booleans(), st.booleans())
def test_a_plan_after_an_apply_is_empty_for_every_mount(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[str],
    wanted: list[str],
    listed: bool,
    mounted: bool,
) -> None:
    """From any mount and any line there."""
    host = Host(tmp_path_factory.mktemp("mount"))
    path = host.path("there")
    Path(path).mkdir()

    def story() -> None:
        host.enter()
        if mounted:
            options = ",".join(each for each in before if each != "mode=0711") or "defaults"
            run("mount", "-t", "tmpfs", "-o", options, "old", path)
        if listed:
            line = f"tmpfs {path} tmpfs {','.join(before) or 'defaults'} 0 2\n"
            host.fstab.write_text(OTHERS + line + line, encoding="utf-8")
        host.apply(path=path, source="tmpfs", fstype="tmpfs", options=[*wanted])
        host.apply(path=path, ensure="absent")
        assert host.fstab.read_text(encoding="utf-8") == OTHERS

    inside(story)
