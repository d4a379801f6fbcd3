"""The kind `package-pip`: one Python package in one virtual environment.

What is installed is read from the names in the environment; pip is run only to change it, and to
find out what is latest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import Action, CapturedStream, Change, TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import PortError, Ports, ProgramCall, Stat
from state_engine.resources.contract import (
    Context,
    Difference,
    Observation,
    RunScript,
    Spec,
    SpecProblem,
    Step,
    Undo,
)
from state_engine.resources.parts import python_versions
from state_engine.resources.parts.python_versions import normal_name
from state_engine.resources.parts.unix_paths import check_path

# Building a large package from its source takes minutes.
INSTALL_TIMEOUT = 1_800.0
QUERY_TIMEOUT = 120.0
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_PYTHON = re.compile(r"python[0-9]+\.[0-9]+t?")
_INFO = ".dist-info"
_OTHERS_WRITE = 0o022
_STICKY = 0o1000


class PackagePipSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A Python package in a virtual environment, installed from wheels or sources by its own pip.

    The environment has to be there (a `script` on which this depends can make it); the system's own
    Python is never touched. pip runs as the environment's owner, and reads its `pip.conf`. A
    package that is no longer desired stays installed; `ensure: absent` uninstalls it.
    """

    name: Annotated[str, Meta(description="Name of the package.", examples=["requests"])]
    venv: Annotated[
        str,
        Meta(
            description="Absolute path of the virtual environment.", examples=["/opt/example/venv"]
        ),
    ]
    version: Annotated[
        str | None,
        Meta(
            description=(
                "`present` (the default): any version. `latest`: the one that pip would choose,"
                " which only a plan of a signed module can ask. Or an exact version."
            ),
            examples=["present", "latest", "2.31.0"],
        ),
    ] = None
    ensure: Annotated[
        Literal["present", "absent"] | None,
        Meta(description="`present` (the default) or `absent`."),
    ] = None


class PipObservation(msgspec.Struct, frozen=True):
    """A package as found; `target` is what pip would install in its place, where pip was asked.

    `owner` is the user that the environment belongs to; None if there is no environment. `exposed`
    names a directory in which someone else could put another environment.
    """

    version: str | None = None
    owner: str | None = None
    uid: int = 0
    gid: int = 0
    exposed: str | None = None
    target: str | None = None

    @property
    def captured(self) -> CapturedStream | None:
        """What pip says when it is asked is an answer, not output."""
        return None

    def state(self) -> Json:
        """Return what a decision binds."""
        target = None if self.version is None else self.target
        return {"version": self.version, "owner": self.owner, "target": target}


class PackagePip:
    """Python packages in virtual environments."""

    name = "package-pip"
    spec_type: type[msgspec.Struct] = PackagePipSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of name, version and path."""
        package = _spec(spec)
        problems = check_path("venv", package.venv)
        if not _NAME.fullmatch(package.name):
            message = f"`{package.name}` is not the name of a Python package"
            problems.append(SpecProblem("name", message, "letters, digits and `._-`"))
        version = package.version
        if version not in {None, "present", "latest"} and not python_versions.canonical(
            version or ""
        ):
            hint = "`present`, `latest`, or a version such as `2.31.0`"
            problems.append(SpecProblem("version", f"`{version}` is not a version", hint))
        if package.ensure == "absent" and version is not None:
            message = "`version` says nothing of a package that is to be absent"
            problems.append(SpecProblem("version", message, "leave out `version`"))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the environment and the package's name in its one spelling."""
        del resource_id
        name, venv = spec.get("name"), spec.get("venv")
        if isinstance(name, str) and isinstance(venv, str):
            return f"{venv}:{normal_name(name)}"
        return None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return nothing: which directory it is can change with the environment's Python."""
        del spec
        return ()

    def runs_code(self, spec: Spec) -> bool:
        """Only pip knows what is latest, and which pip that is the module says."""
        return spec.get("version") == "latest"

    def glance(self, spec: Spec) -> None:
        """The names in the environment have to be read."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> PipObservation:
        """Return the package's version and the environment's owner."""
        del verify
        package = _spec(spec)
        stat = ports.files.stat(package.venv)
        if stat is None or stat.type != "directory":
            return PipObservation()
        owner = ports.accounts.user(stat.uid)
        found = PipObservation(
            _installed(package, ports),
            owner,
            stat.uid,
            stat.gid,
            _exposed(package.venv, stat, ports),
        )
        if package.version == "latest" and found.version is not None and found.exposed is None:
            target = _latest(package, found, ports)
            return msgspec.structs.replace(found, target=target)
        return found

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update or none; error where pip would run another user's code."""
        del context
        package, found = _spec(spec), _found(observation)
        wanted = package.version or "present"
        changes: tuple[Change, ...] = ()
        if package.ensure == "absent":
            if found.version is not None:
                ensure = Change("ensure", "present", "absent")
                changes = (ensure, Change("version", found.version))
        elif found.version is None:
            changes = (Change("version", None, wanted),)
        elif wanted == "latest":
            if found.target is not None and found.target != found.version:
                changes = (Change("version", found.version, found.target),)
        elif wanted != "present" and not python_versions.is_what_was_asked(found.version, wanted):
            changes = (Change("version", found.version, wanted),)
        if not changes:
            return Difference("none")
        if found.exposed is not None:
            message = f"others than {found.owner} can write to {found.exposed}; pip is not run"
            return Difference("error", message=f"{message} in {package.venv}")
        note = None if found.owner is not None else f"{package.venv} is not there yet"
        action: Action = "create" if found.version is None else "update"
        steps = (RunScript(_change(package, found), "apply"),)
        return Difference(action, changes, note, steps)

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what comparing has found to be done."""
        del spec
        return difference.steps

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: nothing is done. Others may have come to need the package."""
        del spec, observation, applied
        return Undo(message="kept: the package stays installed, if it is")


def _spec(spec: Spec) -> PackagePipSpec:
    return msgspec.convert(spec, PackagePipSpec)


def _found(observation: Observation | None) -> PipObservation:
    if not isinstance(observation, PipObservation):
        raise TypeError(f"package-pip was handed {type(observation).__name__}")
    return observation


def _installed(package: PackagePipSpec, ports: Ports) -> str | None:
    """Return the version that the names of the environment's metadata tell."""
    wanted = normal_name(package.name)
    libraries = f"{package.venv}/lib"
    for python in _names(libraries, ports):
        if not _PYTHON.fullmatch(python):
            continue
        packages = f"{libraries}/{python}/site-packages"
        for entry in _names(packages, ports):
            name, _, version = entry.removesuffix(_INFO).rpartition("-")
            if not entry.endswith(_INFO) or normal_name(name) != wanted:
                continue
            # What an interrupted run of pip left behind has no metadata.
            if ports.files.stat(f"{packages}/{entry}/METADATA") is not None:
                return version.replace("_", "-")
    return None


def _names(path: str, ports: Ports) -> tuple[str, ...]:
    try:
        return ports.files.names(path)
    except PortError as error:
        if error.code in {"ENOENT", "ENOTDIR"}:
            return ()
        raise


def _exposed(venv: str, stat: Stat, ports: Ports) -> str | None:
    """Return a directory in which somebody else could put a program in place of the owner's own."""
    if stat.mode & _OTHERS_WRITE:
        return venv
    path = venv.rpartition("/")[0]
    while path:
        above = ports.files.stat(path)
        if above is not None:
            open_to_all = above.type == "directory" and above.mode & _OTHERS_WRITE
            if above.uid not in {0, stat.uid} or (open_to_all and not above.mode & _STICKY):
                return path
        path = path.rpartition("/")[0]
    return None


def _pip(package: PackagePipSpec, found: PipObservation) -> tuple[str, ...]:
    """Return the start of a command line; nobody's code runs with more rights than its owner's."""
    python = (f"{package.venv}/bin/python", "-I", "-m", "pip")
    options = ("--no-input", "--disable-pip-version-check", "--no-color")
    if found.uid == 0:
        return (*python, *options)
    # The owner's own settings are no part of this: what is not the environment's counts for nobody.
    to_owner = (
        "/usr/bin/env",
        "HOME=/nonexistent",
        "setpriv",
        f"--reuid={found.uid}",
        f"--regid={found.gid}",
        "--clear-groups",
    )
    return (*to_owner, "--no-new-privs", *python, *options, "--no-cache-dir")


def _change(package: PackagePipSpec, found: PipObservation) -> ProgramCall:
    pip, wanted = _pip(package, found), package.version or "present"
    if package.ensure == "absent":
        return ProgramCall((*pip, "uninstall", "--yes", "--", package.name), timeout=QUERY_TIMEOUT)
    version = {"present": None, "latest": found.target}.get(wanted, wanted)
    what = package.name if version is None else f"{package.name}=={version}"
    return ProgramCall((*pip, "install", "--", what), timeout=INSTALL_TIMEOUT)


def _latest(package: PackagePipSpec, found: PipObservation, ports: Ports) -> str | None:
    """Return the version that pip would upgrade to, or None if there is nothing to upgrade."""
    options = ("--dry-run", "--upgrade", "--no-deps", "--quiet", "--report", "-")
    argv = (*_pip(package, found), "install", *options, "--", package.name)
    captured = ports.programs.run(ProgramCall(argv, timeout=QUERY_TIMEOUT))
    if captured.exit != 0:
        last = captured.stderr.strip().rpartition("\n")[2][:200]
        raise PortError(f"pip cannot tell the latest version: exit {captured.exit}: {last}")
    try:
        report = msgspec.json.decode(captured.stdout, type=_Report)
    except msgspec.DecodeError as error:
        raise PortError(f"pip's report cannot be read: {error}") from error
    version = next((item.metadata.version for item in report.install), None)
    if version is not None and python_versions.canonical(version) is None:
        raise PortError("pip's report names a version that is none")
    return version


class _Metadata(msgspec.Struct):
    version: str


class _Install(msgspec.Struct):
    metadata: _Metadata


class _Report(msgspec.Struct):
    install: list[_Install]
