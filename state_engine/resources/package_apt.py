"""The kind `package-apt`: one Debian package, its version, and whether it is held.

What is installed is read from dpkg's status file; apt is asked only where a version is to be found.
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
from state_engine.ports import Ports, ProgramCall
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
from state_engine.resources.parts import debian_versions
from state_engine.resources.parts.apt_tools import AptTools, Policy, literal
from state_engine.resources.parts.dpkg_status import DpkgStatus

# apt reads a final `-` as "remove it"; no package has such a name.
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]{0,126}[a-z0-9+.](?::[a-z0-9][a-z0-9-]{0,30})?")
ABSENT = "absent"
INSTALLED = "installed"
# Unpacked, but its scripts did not come to their end.
_UNCONFIGURED = frozenset({"unpacked", "half-configured"})


class PackageAptSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A Debian package; a field that is left out is not managed.

    Installing brings no recommended packages, keeps changed configuration files, and fails rather
    than remove another package. A package that an administrator holds is not touched unless `hold`
    is given. `ensure: absent` removes this package alone, not its configuration, and fails while
    others depend on it. A package that is no longer desired stays installed.
    """

    name: Annotated[
        str,
        Meta(
            description="Name of a real (not virtual) package, perhaps with `:architecture`.",
            examples=["nginx"],
        ),
    ]
    version: Annotated[
        str | None,
        Meta(
            description=(
                "`present` (the default): any version. `latest`: the one that apt would install. An"
                " exact version; or relations (`<<`, `<=`, `=`, `>=`, `>>`) that it must satisfy,"
                " separated by commas."
            ),
            examples=["present", "latest", "1.22.1-9", ">= 1.22, << 2"],
        ),
    ] = None
    hold: Annotated[
        bool | None,
        Meta(description="Whether upgrades by others leave the package as it is (dpkg's hold)."),
    ] = None
    ensure: Annotated[
        Literal["present", "absent"] | None,
        Meta(description="`present` (the default) or `absent`."),
    ] = None


class AptObservation(msgspec.Struct, frozen=True):
    """A package as found.

    `target` is the version that has to be installed for the wanted one, where apt was asked.
    """

    status: str
    version: str | None = None
    architecture: str = ""
    held: bool = False
    target: str | None = None

    @property
    def captured(self) -> CapturedStream | None:
        """Asking apt is no command of a module."""
        return None

    def state(self) -> Json:
        """Return what a decision binds: to what an installed package would be changed, too.

        Not for a new one: a repository of the same apply may be what brings it.
        """
        return {
            "status": self.status,
            "version": self.version,
            "held": self.held,
            "target": None if self.status == ABSENT else self.target,
        }


class PackageApt:
    """Debian packages of the system below `root`."""

    name = "package-apt"
    spec_type: type[msgspec.Struct] = PackageAptSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def __init__(self, root: str = "/") -> None:
        self._status = DpkgStatus(root)
        self._tools = AptTools(root)

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of name and version, and of fields that an absent package cannot have."""
        package = _spec(spec)
        problems: list[SpecProblem] = []
        if not _NAME.fullmatch(package.name):
            hint = "lower-case letters, digits and `+-.`, for example `libssl3` or `libc6:i386`"
            message = f"`{package.name}` is not the name of a Debian package"
            problems.append(SpecProblem("name", message, hint))
        version = package.version
        if version is not None and _wanted(version) is None:
            hint = "`present`, `latest`, a version, or relations such as `>= 1.2, << 2`"
            problems.append(SpecProblem("version", f"`{version}` is not a version", hint))
        if package.ensure == "absent":
            for field, given in (("version", version), ("hold", package.hold)):
                if given is not None:
                    message = f"`{field}` says nothing of a package that is to be absent"
                    problems.append(SpecProblem(field, message, f"leave out `{field}`"))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the name."""
        del resource_id
        name = spec.get("name")
        return name if isinstance(name, str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return dpkg's status file."""
        del spec
        return (self._status.path,)

    def runs_code(self, spec: Spec) -> bool:
        """Looking runs at most `apt-cache policy`."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """The status file has to be read."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> AptObservation:
        """Return the package's status; asks apt for a version only if the one there may not do."""
        package = _spec(spec)
        name, _, architecture = package.name.partition(":")
        found = self._status.find(name, architecture or None, ports, verify=verify)
        if found is None or found.state == "absent":
            seen = AptObservation(ABSENT, held=found is not None and found.held)
        else:
            seen = AptObservation(found.state, found.version, found.architecture, found.held)
        if package.ensure == "absent":
            return seen
        wanted = package.version or "present"
        terms = debian_versions.parse_constraint(wanted)
        if wanted == "latest" and seen.version is not None:
            target = self._tools.policy(package.name, ports).candidate
        elif terms is not None and not _does(wanted, seen.version):
            target = _choose(self._tools.policy(package.name, ports), terms)
        else:
            return seen
        return msgspec.structs.replace(seen, target=target)

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update or none; error where a hold stands in the way."""
        del context
        package, found = _spec(spec), _found(observation)
        if package.ensure == "absent":
            if found.status == ABSENT:
                return Difference("none")
            if found.held:
                return _refused(package.name, found)
            gone = (Change("ensure", "present", "absent"), Change("version", found.version))
            steps = (
                RunScript(self._tools.wait(), "check"),
                RunScript(self._tools.remove(package.name, rehearse=True), "check"),
                RunScript(self._tools.remove(package.name), "apply"),
            )
            return Difference("update", gone, steps=steps)
        due = _changes(package, found)
        if due and found.held and package.hold is None:
            if package.version == "latest" and found.status == INSTALLED:
                return Difference("none", message=f"held at {found.version}, not {found.target}")
            return _refused(package.name, found)
        changes = due
        if package.hold is not None and package.hold != found.held:
            changes = (*due, Change("hold", _word(held=found.held), _word(held=package.hold)))
        if not changes:
            return Difference("none")
        action: Action = "create" if found.status == ABSENT else "update"
        work = self._steps(package, found, install=bool(due))
        return Difference(action, changes, steps=work, together=self._together(work))

    def batch(self, together: tuple[str, ...]) -> tuple[Step, ...]:
        """Return one transaction that installs several packages, or none of them."""
        return (RunScript(self._tools.install(*together), "apply"),)

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what comparing has found to be done."""
        del spec
        return difference.steps

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: nothing is done. Others may have come to need the package."""
        del spec, applied
        found = _found(observation)
        if found.status == ABSENT:
            return Undo(message="forgotten: it is not installed")
        held = " and held" if found.held else ""
        return Undo(message=f"kept: the package stays installed{held}")

    def _steps(
        self, package: PackageAptSpec, found: AptObservation, *, install: bool
    ) -> tuple[Step, ...]:
        steps: list[Step] = []
        if install:
            steps.append(RunScript(self._install(package, found), "apply"))
        if package.hold is not None and (install or package.hold != found.held):
            name = package.name
            if found.architecture not in {"", "all"} and ":" not in name:
                # The same package may be there for two architectures; then the name alone is not
                # enough for dpkg.
                name = f"{name}:{found.architecture}"
            # One phase keeps one output, and apt's is the one that people want to read.
            phase = "check" if install else "apply"
            steps.append(RunScript(self._tools.select(name, hold=package.hold), phase))
        return tuple(steps)

    def _together(self, steps: tuple[Step, ...]) -> str | None:
        """Return what apt is told of a package that needs no permission of its own."""
        if len(steps) != 1 or not isinstance(steps[0], RunScript):
            return None
        call = steps[0].call
        return call.argv[-1] if call == self._tools.install(call.argv[-1]) else None

    def _install(self, package: PackageAptSpec, found: AptObservation) -> ProgramCall:
        name, wanted = package.name, package.version or "present"
        terms = debian_versions.parse_constraint(wanted)
        version = found.target
        if wanted not in {"present", "latest"} and terms is None:
            version = wanted
        if version is None and terms is not None and not _does(wanted, found.version):
            # Nothing that is known satisfies it: this says so in apt's own words.
            relations = ", ".join(f"{name} ({term.relation} {term.version})" for term in terms)
            return self._tools.satisfy(relations)
        if version is None and found.status in _UNCONFIGURED:
            version = found.version  # it only has to be finished, not upgraded
        if version is None:
            return self._tools.install(literal(name), held=found.held)
        down = found.version is not None and debian_versions.compare(version, found.version) < 0
        return self._tools.install(f"{name}={version}", downgrade=down, held=found.held)


def _spec(spec: Spec) -> PackageAptSpec:
    return msgspec.convert(spec, PackageAptSpec)


def _found(observation: Observation | None) -> AptObservation:
    if not isinstance(observation, AptObservation):
        raise TypeError(f"package-apt was handed {type(observation).__name__}")
    return observation


def _wanted(version: str) -> str | None:
    """Return what sort of wish a version is, or None if it is none at all."""
    if version in {"present", "latest"}:
        return version
    if debian_versions.parse_constraint(version) is not None:
        return "constraint"
    return "exact" if debian_versions.is_version(version) else None


def _does(wanted: str, version: str | None) -> bool:
    """Say whether a version is what an exact wish or a constraint asks for."""
    if version is None:
        return False
    terms = debian_versions.parse_constraint(wanted)
    if terms is None:
        return debian_versions.compare(version, wanted) == 0
    return debian_versions.satisfies(version, terms)


def _choose(policy: Policy, terms: tuple[debian_versions.Term, ...]) -> str | None:
    """Return apt's own choice if it will do, else the latest version that does."""
    fitting = [item for item in policy.versions if debian_versions.satisfies(item, terms)]
    if policy.candidate in fitting:
        return policy.candidate
    return debian_versions.latest(fitting)


def _changes(package: PackageAptSpec, found: AptObservation) -> tuple[Change, ...]:
    """Return what only apt can change: version and status."""
    wanted = package.version or "present"
    if found.status == ABSENT:
        return (Change("version", None, found.target or wanted),)
    changes: list[Change] = []
    if found.status != INSTALLED:
        changes.append(Change("status", found.status, INSTALLED))
    if wanted == "latest":
        if found.target is not None and found.target != found.version:
            changes.append(Change("version", found.version, found.target))
    elif wanted != "present" and not _does(wanted, found.version):
        changes.append(Change("version", found.version, found.target or wanted))
    return tuple(changes)


def _refused(name: str, found: AptObservation) -> Difference:
    where = f"at {found.version}" if found.version else "as not installed"
    message = f"{name} is held {where}; give `hold`, or run `apt-mark unhold {name}`"
    return Difference("error", message=message)


def _word(*, held: bool) -> str:
    return "true" if held else "false"
