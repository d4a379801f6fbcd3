"""A Debian host in memory: its status file, a package index, and the few commands that move them.

It holds to what the real tools do (`tests/integration/test_kind_package_apt.py` runs the same
resources through those), and knows nothing of what the kinds mean by a call.
"""

from __future__ import annotations

import re

from protocol.reports import CapturedStream
from state_engine.ports import ProgramCall
from state_engine.resources.parts import debian_versions
from tests.fakes.ports import FakePorts, FakePrograms, Node

STATUS = "/var/lib/dpkg/status"
DONE = CapturedStream(0, "", "")
SETTINGS = {"-o"}  # options with a value of their own


def failed(message: str) -> CapturedStream:
    return CapturedStream(100, "", f"E: {message}\n")


class FakeDebian(FakePorts):
    """`packages` is [want, state, version] by name; `index` what a repository has, by name."""

    def __init__(
        self, packages: dict[str, list[str]], index: dict[str, list[str]], candidate: int = -1
    ) -> None:
        super().__init__()
        self.packages = packages
        self.index = index
        self.candidate = candidate
        self.programs = FakeApt(self)
        for path in ("/etc", "/etc/apt", "/etc/apt/sources.list.d", "/var", "/var/lib/dpkg"):
            self.files.put(path, Node("directory", 0o755, 0, 0))
        self.write_status()

    def write_status(self) -> None:
        """Write the status file as dpkg does: a new one in the old one's place."""
        stanzas = [
            f"Package: {name}\nStatus: {want} ok {state}\nArchitecture: amd64\nVersion: {version}\n"
            for name, (want, state, version) in sorted(self.packages.items())
        ]
        self.files.put(STATUS, Node("file", 0o644, 0, 0, "\n".join(stanzas).encode()))

    def chosen(self, name: str) -> str | None:
        """Return the version that apt would install."""
        versions = self.index.get(name, [])
        if versions:
            return versions[self.candidate % len(versions)]
        held = self.packages.get(name)
        return held[2] if held is not None and held[1] == "installed" else None


class FakeApt(FakePrograms):
    """The commands."""

    def __init__(self, host: FakeDebian) -> None:
        super().__init__()
        self._host = host

    def run(self, call: ProgramCall) -> CapturedStream:
        self.calls.append(" ".join(call.argv))
        words = [word for word in call.argv if "=" not in word or not word.split("=")[0].isupper()]
        words = words[1:] if words[0] == "/usr/bin/env" else words
        program, rest = words[0], words[1:]
        plain: list[str] = []
        skip = False
        for word in rest:
            if skip or word.startswith("-"):
                skip = word in SETTINGS
            else:
                plain.append(word)
        options = {word for word in rest if word.startswith("--")}
        done = DONE
        if program == "apt-cache":
            done = self._policy(plain[1])
        elif program == "dpkg" and "--set-selections" in options:
            name, want = call.stdin.decode().split()
            self._host.packages[name.partition(":")[0]][0] = want
        elif program == "dpkg" and "--no-act" not in options:
            self._host.packages[plain[0]][:2] = ["deinstall", "config-files"]
        elif plain[0] == "install":
            done = self._install_all(plain[1:], options)
        elif plain[0] == "satisfy":
            done = failed("unsatisfiable")
        self._host.write_status()
        return done

    def _policy(self, name: str) -> CapturedStream:
        known = [*self._host.index.get(name, [])]
        candidate = self._host.chosen(name)
        if candidate is None:
            return DONE
        rows = "".join(f"     {version} 500\n        500 x Packages\n" for version in known)
        text = f"{name}:\n  Installed: x\n  Candidate: {candidate}\n  Version table:\n{rows}"
        return CapturedStream(0, text, "")

    def _install_all(self, wanted: list[str], options: set[str]) -> CapturedStream:
        """Install all or nothing, as apt does where it can tell beforehand."""
        before = {name: list(held) for name, held in self._host.packages.items()}
        for what in wanted:
            done = self._install(what, options)
            if done.exit != 0:
                self._host.packages.clear()
                self._host.packages.update(before)
                return done
        return DONE

    def _install(self, what: str, options: set[str]) -> CapturedStream:
        name, _, version = what.partition("=")
        name = re.sub(r"[\^$\\]", "", name)
        held = self._host.packages.get(name)
        target = version or self._host.chosen(name)
        there = held is not None and held[1] not in {"not-installed", "config-files"}
        if target is None or not (target in self._host.index.get(name, []) or there):
            return failed(f"Unable to locate package {name}")
        if held is not None and there and target == held[2]:
            held[1] = "installed"
            return DONE
        if held is not None and held[0] == "hold" and "--allow-change-held-packages" not in options:
            return failed("Held packages were changed")
        down = held is not None and there and debian_versions.compare(target, held[2]) < 0
        if down and "--allow-downgrades" not in options:
            return failed("Packages were downgraded")
        self._host.packages[name] = ["install", "installed", target]
        return DONE
