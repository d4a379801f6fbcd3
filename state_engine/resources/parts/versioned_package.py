"""What package kinds share whose hosts have one version of a package at a time. It is no kind.

A kind brings its specification, the order of its versions, and how to look, ask and change
(`Packages`); holding a package is apt's alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

import msgspec

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
from state_engine.resources.parts import version_terms
from state_engine.resources.parts.version_terms import Term

# Asking all repositories over a slow line.
QUERY_TIMEOUT = 300.0
# A kernel over a slow mirror takes minutes; an hour means that something hangs.
INSTALL_TIMEOUT = 3_600.0


class PackageSpec(Protocol):
    """The fields that every such kind has."""

    @property
    def name(self) -> str:
        """The package's name."""
        ...

    @property
    def version(self) -> str | None:
        """The wish for a version, as written."""
        ...

    @property
    def ensure(self) -> Literal["present", "absent"] | None:
        """Whether it is to be there."""
        ...


class Packages(Protocol):
    """A package manager: its database is read, and its commands are values."""

    @property
    def watched(self) -> tuple[str, ...]:
        """The files that change with what is installed."""
        ...

    def installed(self, name: str, ports: Ports, *, verify: bool) -> str | None:
        """Return the installed version, or None. Raises PortError."""
        ...

    def offered(self, name: str, ports: Ports) -> tuple[str, ...]:
        """Return the versions that could be installed. Raises PortError."""
        ...

    def install(self, name: str, wish: Wish, installed: str | None) -> ProgramCall:
        """Return the installation, upgrade or downgrade."""
        ...

    def remove(self, name: str) -> ProgramCall:
        """Return the removal of this package alone."""
        ...


class Wish(msgspec.Struct, frozen=True):
    """What version is to be there: `version` is the one chosen, None if any will do.

    `terms` is the constraint that it was chosen for.
    """

    sort: Literal["present", "latest", "exact", "constraint"]
    version: str | None = None
    terms: tuple[Term, ...] = ()


class PackageObservation(msgspec.Struct, frozen=True):
    """A package as found; `target` is the version to be installed, where one had to be chosen."""

    version: str | None = None
    target: str | None = None

    @property
    def captured(self) -> CapturedStream | None:
        """Asking the package manager is no command of a module."""
        return None

    def state(self) -> Json:
        """Return what a decision binds: to what an installed package would be changed, too.

        Not for a new one: a repository of the same apply may be what brings it.
        """
        return {
            "version": self.version,
            "target": None if self.version is None else self.target,
        }


class Rules(msgspec.Struct, frozen=True):
    """How a package manager names packages and orders versions."""

    is_name: Callable[[str], bool]
    is_version: Callable[[str], bool]
    compare: version_terms.Compare
    name_hint: str


class VersionedPackage:
    """A kind of packages; a subclass names itself and its specification."""

    name = ""
    spec_type: type[msgspec.Struct] = msgspec.Struct
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def __init__(self, packages: Packages, rules: Rules) -> None:
        self._packages = packages
        self._rules = rules

    def package(self, spec: Spec) -> PackageSpec:
        """Return the specification in its own type."""
        raise NotImplementedError

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of name and version."""
        package, rules = self.package(spec), self._rules
        problems: list[SpecProblem] = []
        if not rules.is_name(package.name):
            message = f"`{package.name}` is not the name of a package"
            problems.append(SpecProblem("name", message, rules.name_hint))
        version = package.version
        if version is not None and self._wish(version) is None:
            hint = "`present`, `latest`, a version, or relations such as `>= 1.2, < 2`"
            problems.append(SpecProblem("version", f"`{version}` is not a version", hint))
        if package.ensure == "absent" and version is not None:
            message = "`version` says nothing of a package that is to be absent"
            problems.append(SpecProblem("version", message, "leave out `version`"))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the name."""
        del resource_id
        name = spec.get("name")
        return name if isinstance(name, str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the package database."""
        del spec
        return self._packages.watched

    def runs_code(self, spec: Spec) -> bool:
        """Looking runs the package manager's own queries at most."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """The database has to be read."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> PackageObservation:
        """Return the installed version; asks for others only if the one there may not do."""
        package = self.package(spec)
        found = self._packages.installed(package.name, ports, verify=verify)
        wish = self._wish(package.version or "present")
        if package.ensure == "absent" or wish is None or not self._has_to_ask(wish, found):
            return PackageObservation(found)
        offered = self._packages.offered(package.name, ports)
        fitting = [version for version in offered if self._fits(wish, version)]
        target = version_terms.latest(fitting, self._rules.compare)
        if wish.sort == "latest" and found is not None and target is not None:
            # What is newer than all that is offered stays.
            target = target if self._rules.compare(target, found) > 0 else found
        return PackageObservation(found, target)

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update or none; error where no known version will do."""
        del context
        package, found = self.package(spec), _found(observation)
        if package.ensure == "absent":
            if found.version is None:
                return Difference("none")
            gone = (Change("ensure", "present", "absent"), Change("version", found.version))
            step = RunScript(self._packages.remove(package.name), "apply")
            return Difference("update", gone, steps=(step,))
        wanted = package.version or "present"
        wish = self._wish(wanted)
        if wish is None or self._holds(wish, found):
            return Difference("none")
        if wish.sort == "constraint" and found.target is None:
            message = f"no version of {package.name} that is on offer satisfies `{wanted}`"
            return Difference("error", message=message)
        wish = msgspec.structs.replace(wish, version=wish.version or found.target)
        action: Action = "create" if found.version is None else "update"
        change = Change("version", found.version, wish.version or wanted)
        call = self._packages.install(package.name, wish, found.version)
        return Difference(action, (change,), steps=(RunScript(call, "apply"),))

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what comparing has found to be done."""
        del spec
        return difference.steps

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: nothing is done. Others may have come to need the package."""
        del spec, applied
        if _found(observation).version is None:
            return Undo(message="forgotten: it is not installed")
        return Undo(message="kept: the package stays installed")

    def revert(
        self, spec: Spec, observation: Observation | None, copies: Mapping[str, str]
    ) -> tuple[Step, ...]:
        """Return the installation of the version that was there, or the removal of a new one."""
        del copies
        package, found = self.package(spec), _found(observation)
        if found.version is None:
            return (RunScript(self._packages.remove(package.name), "undo"),)
        asked = self._wish(package.version or "present")
        made = found.target or (None if asked is None else asked.version)
        call = self._packages.install(package.name, Wish("exact", found.version), made)
        return (RunScript(call, "undo"),)

    def _wish(self, version: str) -> Wish | None:
        if version == "present":
            return Wish("present")
        if version == "latest":
            return Wish("latest")
        terms = version_terms.parse(version, self._rules.is_version)
        if terms is not None:
            return Wish("constraint", terms=terms)
        return Wish("exact", version) if self._rules.is_version(version) else None

    def _has_to_ask(self, wish: Wish, found: str | None) -> bool:
        if wish.sort == "latest":
            return found is not None  # a new one comes in its latest version anyway
        return wish.sort == "constraint" and (found is None or not self._fits(wish, found))

    def _fits(self, wish: Wish, version: str) -> bool:
        return version_terms.satisfies(version, wish.terms, self._rules.compare)

    def _holds(self, wish: Wish, found: PackageObservation) -> bool:
        if found.version is None:
            return False
        if wish.sort == "latest":
            return found.target in {None, found.version}
        if wish.sort == "exact" and wish.version is not None:
            return self._rules.compare(found.version, wish.version) == 0
        return self._fits(wish, found.version)


def _found(observation: Observation | None) -> PackageObservation:
    if not isinstance(observation, PackageObservation):
        raise TypeError(f"a package kind was handed {type(observation).__name__}")
    return observation
