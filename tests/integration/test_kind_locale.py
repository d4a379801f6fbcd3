"""The kind locale with the system's own locale-gen, on copies of what it writes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from protocol.canonical import Json
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.host.linux import LinuxPorts
from state_engine.model import ResolvedResource, Snapshot
from state_engine.resources.registry import KINDS
from tests.fakes import namespaces
from tests.fakes.namespaces import inside, run
from tests.fakes.resources import resource

pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs_root,
    pytest.mark.usefixtures("_able"),
]

FILES = ("/etc/locale.gen", "/etc/default/locale")


@pytest.fixture
def _able() -> None:
    reason = namespaces.missing("locale-gen", "localedef", "mount")
    if reason is not None:
        pytest.skip(reason)
    if not Path("/usr/share/i18n/SUPPORTED").exists():
        pytest.skip("needs the sources of locales")


def wish(name: str, **spec: Json) -> ResolvedResource:
    spec = {"name": name, **spec}
    assert KINDS["locale"].validate(spec) == []
    return resource("locale", name, spec)


def copies(folder: Path) -> None:
    """Put copies in the place of what the kind and locale-gen write."""
    shutil.copytree("/etc", folder / "etc", symlinks=True)
    (folder / "locale").mkdir()
    run("mount", "--bind", f"{folder}/etc", "/etc")
    run("mount", "--bind", f"{folder}/locale", "/usr/lib/locale")
    Path("/etc/locale.gen").write_text(
        "# en_GB.UTF-8 UTF-8\n# de_DE ISO-8859-1\n", encoding="utf-8"
    )
    Path("/etc/default/locale").write_text(
        "# theirs\nLANG=C.UTF-8\nLC_PAPER=de_DE\n", encoding="utf-8"
    )


def test_locales_are_generated_are_defaults_and_go(tmp_path: Path) -> None:
    """As glibc's own `locale` lists them, whatever the charset; twice is once."""
    ports = LinuxPorts(tmp_path / "state", b"k" * 32)
    wishes = [wish("en_GB.UTF-8", default_for=["LANG", "LC_TIME"]), wish("de_DE")]

    def story() -> None:
        copies(tmp_path)
        before = [Path(name).read_text(encoding="utf-8") for name in FILES]
        done = apply_plan("op", "node", wishes, Snapshot(), ports, approved=None)
        assert done.result.status == "succeeded", done.result
        known = run("locale", "-a").split()
        assert {"en_GB.utf8", "de_DE.iso88591"} <= set(known)
        assert Path("/etc/default/locale").read_text(encoding="utf-8") == (
            "# theirs\nLANG=en_GB.UTF-8\nLC_PAPER=de_DE\nLC_TIME=en_GB.UTF-8\n"
        )
        assert make_plan("node", wishes, done.snapshot, ports).summary.none == 2
        run("localedef", "--delete-from-archive", "en_GB.utf8")
        (drift,) = find_drift(done.snapshot, ports)
        assert [change.field for change in drift.changes] == ["generated"]
        done = apply_plan("op", "node", wishes, done.snapshot, ports, approved=None)
        assert done.result.status == "succeeded", done.result

        done = apply_plan("op", "node", [], done.snapshot, ports, approved=None)
        assert done.result.status == "succeeded", done.result
        assert not {"en_GB.utf8", "de_DE.iso88591"} & set(run("locale", "-a").split())
        assert [Path(name).read_text(encoding="utf-8") for name in FILES] == [
            before[0],
            "# theirs\n",
        ]

    inside(story)


def test_without_locale_gen_localedef_generates(tmp_path: Path) -> None:
    ports = LinuxPorts(tmp_path / "state", b"k" * 32)

    def story() -> None:
        copies(tmp_path)
        (tmp_path / "sbin").mkdir()
        run("mount", "--bind", f"{tmp_path}/sbin", "/usr/sbin")
        held = apply_plan(
            "op", "node", [wish("de_DE@euro")], Snapshot(), ports, approved=None
        )  # fmt: skip
        assert held.result.status == "succeeded", held.result
        assert "de_DE@euro" in run("locale", "-a").split()

    inside(story)
