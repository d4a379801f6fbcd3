"""The example of every kind, applied as it stands to a booted Debian and taken away again."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from state_engine.resources.registry import KINDS
from tests.fakes.apt_root import AptRoot
from tests.fakes.archives import packed
from tests.fakes.booted import MODULES, REPOSITORY, Booted, booted, missing
from tests.fakes.git_remote import Remote
from tests.fakes.wheels import wheel

pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs_root,
    # A cold cache makes the root file system first: 15 s to a minute of downloads.
    pytest.mark.timeout(300),
]

EXAMPLES = REPOSITORY / "examples" / "kinds"
# What a system in namespaces cannot have; each of these is only planned here.
NOT_HERE = {
    "kernel-module": "a module is the kernel's, and the kernel is not the test's own",
}
# What this Debian has no tool for, or (swap) no file system: the plan says so, or that the module
# is not for it.
ELSEWHERE = {"container", "package-apk", "package-dnf", "swap"}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Generator[Booted, None, None]:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with booted() as running:
        provide(running, tmp_path_factory.mktemp("provided"))
        yield running


def provide(system: Booted, scratch: Path) -> None:
    """Put there what the examples take for given: a package repository, an environment, wheels."""
    root = Path(f"/proc/{system.leader}/root")
    apt = AptRoot(scratch)
    apt.build("our-tool", "1.0")
    apt.build("our-tool", "1.4")
    apt.publish()
    shutil.copytree(apt.repository, root / "srv/packages")
    system.write("/usr/share/keyrings/our-packages.asc", apt.key)
    line = "deb [signed-by=/usr/share/keyrings/our-packages.asc] file:/srv/packages ./\n"
    system.write("/etc/apt/sources.list", line)
    must(system, "apt-get", "update")
    content = packed({"example-1.2/bin/run": b"#!/bin/sh\n", "example-1.2/readme": b"x\n"}, "gz")
    (root / "srv/example-1.2.tar.gz").write_bytes(content)
    Remote(scratch / "remote")
    shutil.copytree(scratch / "remote", root / "srv/repository")
    must(system, sys.executable, "-m", "venv", "/opt/app/venv")
    (root / "srv/wheels").mkdir()
    wheel(root / "srv/wheels", "1.10")
    system.write("/opt/app/venv/pip.conf", "[global]\nno-index = true\nfind-links = /srv/wheels\n")


def must(system: Booted, *argv: str) -> None:
    done = system.run(*argv)
    assert done.returncode == 0, (argv, done.stdout, done.stderr)


def actions(system: Booted, kind: str, *words: str) -> list[str]:
    """Return what a plan or a look for drift says of each resource."""
    state = f"--state-dir=/var/lib/state-{kind}"
    done = system.state(*words, "--json", state)
    assert done.stdout, done.stderr
    return [item["action"] for item in json.loads(done.stdout).get("resources", ())]


def apply(system: Booted, kind: str) -> list[tuple[str, str]]:
    state = f"--state-dir=/var/lib/state-{kind}"
    done = system.state("apply", "--yes", "--json", f"{MODULES}/{kind}", state)
    assert done.stdout, done.stderr
    result = json.loads(done.stdout)
    assert result["status"] == "succeeded", result
    return [(item["action"], item["status"]) for item in result["resources"]]


def test_every_kind_has_an_example() -> None:
    """A page without its example is half a page; an example without its kind, a forgotten one."""
    assert {path.name.removesuffix(".ordo.yaml") for path in EXAMPLES.iterdir()} == set(KINDS)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_example_applies_holds_and_goes(system: Booted, kind: str) -> None:
    """Something is to be done; once done, nothing is; and without the resource, nothing fails."""
    module = f"{MODULES}/{kind}/{kind}.ordo.yaml"
    text = (EXAMPLES / f"{kind}.ordo.yaml").read_text(encoding="utf-8")
    system.write(module, text)
    planned = actions(system, kind, "plan", f"{MODULES}/{kind}")
    if kind in ELSEWHERE:
        assert set(planned) <= {"error"}
        return
    assert not set(planned) & {"none", "error", "unknown"}, planned
    if kind in NOT_HERE:
        return
    assert [status for _, status in apply(system, kind)] == ["changed"] * len(planned)
    assert set(actions(system, kind, "plan", f"{MODULES}/{kind}")) == {"none"}
    assert set(actions(system, kind, "drift")) <= {"none"}
    head = text.partition("\nresources:")[0]
    system.write(module, f"{head}\nresources: []\n")
    removed = apply(system, kind)
    assert {action for action, _ in removed} == {"remove"}, removed
    assert actions(system, kind, "plan", f"{MODULES}/{kind}") == []
