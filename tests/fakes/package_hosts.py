"""Hosts in memory with dnf and rpm, or with apk: a database, repositories, and their few commands.

They know what the tools do with a command line, and nothing of what the kinds mean by it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from protocol.reports import CapturedStream
from state_engine.ports import ProgramCall
from state_engine.resources.parts import alpine_versions, rpm_versions
from tests.fakes.ports import FakePorts, FakePrograms, Node

DONE = CapturedStream(0, "", "")
RPM_DATABASE = "/var/lib/rpm/rpmdb.sqlite"
APK_DATABASE = "/lib/apk/db/installed"


def failed(message: str) -> CapturedStream:
    return CapturedStream(1, "", f"{message}\n")


class PackageHost(FakePorts):
    """`installed` is the version by name; `offered` what the repositories have, by name."""

    database = ""

    def __init__(self, installed: dict[str, str], offered: dict[str, list[str]]) -> None:
        super().__init__()
        self.installed = installed
        self.offered = offered
        self.put_database()

    def put_database(self) -> None:
        """Write the database as the tool does after each change."""
        text = "".join(f"P:{name}\nV:{version}\n\n" for name, version in self.installed.items())
        self.files.put(self.database, Node("file", 0o644, 0, 0, text.encode()))


class FakeTools(FakePrograms):
    """The tools of one host; `plain` is what of a command line follows `--`."""

    def __init__(self, host: PackageHost) -> None:
        super().__init__()
        self.host = host

    def run(self, call: ProgramCall) -> CapturedStream:
        self.calls.append(" ".join(call.argv))
        plain = call.argv[call.argv.index("--") + 1] if "--" in call.argv else ""
        before = dict(self.host.installed)
        done = self.answer(call.argv, plain)
        if self.host.installed != before:
            self.host.put_database()
        return done

    def answer(self, argv: tuple[str, ...], plain: str) -> CapturedStream:
        raise NotImplementedError

    def newest(self, versions: list[str], compare: Callable[[str, str], int]) -> str:
        return max(versions, key=functools.cmp_to_key(compare))


class DnfTools(FakeTools):
    def answer(self, argv: tuple[str, ...], plain: str) -> CapturedStream:
        host = self.host
        if "--query" in argv:
            rows = [f"{name}\tx86_64\t0:{version}\n" for name, version in host.installed.items()]
            return CapturedStream(0, "".join([*rows, "gpg-pubkey\t(none)\t(none):a-b\n"]), "")
        if "--erase" in argv:
            del host.installed[plain]
            return DONE
        if "repoquery" in argv:
            return CapturedStream(0, "".join(f"0:{v}\n\n" for v in host.offered[plain]), "")
        verb = next(word for word in argv if word in {"install", "upgrade", "downgrade"})
        name, _, version = re.sub(r"-(?=[0-9])", "=", plain, count=1).partition("=")
        held, offered = host.installed.get(name), host.offered.get(name, [])
        fitting = [v for v in offered if not version or rpm_versions.compare(v, version) == 0]
        if not fitting:
            return failed(f"No match for argument: {plain}")
        target = self.newest(fitting, rpm_versions.compare)
        if held is not None:
            order = rpm_versions.compare(target, held)
            if order == 0 or (order < 0) != (verb == "downgrade"):
                return DONE  # "Nothing to do."
            if verb == "install" and not version:
                return DONE
        host.installed[name] = target
        return DONE


class ApkTools(FakeTools):
    def answer(self, argv: tuple[str, ...], plain: str) -> CapturedStream:
        host = self.host
        if "del" in argv:
            host.installed.pop(plain, None)
            return DONE
        if "policy" in argv:
            return CapturedStream(0, self._policy(plain), "")
        name, relation, version = (*re.split(r"(<=|>=|=|<|>)", plain, maxsplit=1), "", "")[:3]
        holds: dict[str, tuple[int, ...]] = {
            "": (-1, 0, 1), "=": (0,), "<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1)
        }  # fmt: skip
        held, offered = host.installed.get(name), host.offered.get(name, [])
        if held is not None and not relation and "--upgrade" not in argv:
            return DONE
        fitting = [
            item
            for item in [*offered, *([held] if held else [])]
            if not version or alpine_versions.compare(item, version) in holds[relation]
        ]
        if not fitting:
            return failed(f"unable to select packages: {plain}")
        host.installed[name] = self.newest(fitting, alpine_versions.compare)
        return DONE

    def _policy(self, name: str) -> str:
        held = self.host.installed.get(name)
        known = dict.fromkeys([*self.host.offered.get(name, []), *([held] if held else [])])
        rows = [f"{name} policy:\n"]
        for version in known:
            rows.append(f"  {version}:\n")
            rows += ["    lib/apk/db/installed\n"] if version == held else []
            here = version in self.host.offered.get(name, [])
            rows += ["    https://mirror.example.org/v3.20/main\n"] if here else []
        return "".join(rows)


class FakeFedora(PackageHost):
    database = RPM_DATABASE

    def __init__(self, installed: dict[str, str], offered: dict[str, list[str]]) -> None:
        super().__init__(installed, offered)
        self.programs = DnfTools(self)


class FakeAlpine(PackageHost):
    database = APK_DATABASE

    def __init__(self, installed: dict[str, str], offered: dict[str, list[str]]) -> None:
        super().__init__(installed, offered)
        self.programs = ApkTools(self)
