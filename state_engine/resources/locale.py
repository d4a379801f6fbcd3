"""The kind `locale`: a locale that programs of this host can use, and what it is the default of."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import CapturedStream, Change, TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import PortError, Ports, ProgramCall
from state_engine.resources.contract import (
    Context,
    Difference,
    EditFile,
    Observation,
    RunScript,
    Spec,
    SpecProblem,
    Step,
    Undo,
)
from state_engine.resources.parts import locales, owned_files
from state_engine.resources.parts.owned_files import Found
from state_engine.resources.parts.unix_paths import Ensure

# One locale takes localedef a second or two; locale-gen makes all that are missing.
TIMEOUT = 1800.0
LIST = "etc/locale.gen"
STORE = "usr/lib/locale"
SUPPORTED = "usr/share/i18n/SUPPORTED"
GENERATOR = "usr/sbin/locale-gen"
DEBIAN_DEFAULT = "etc/default/locale"
DEFAULT = "etc/locale.conf"
# These are in the C library itself.
BUILT_IN = frozenset({"C", "POSIX", "C.utf8"})
_NAME = re.compile(
    r"(C|POSIX|[a-z]{2,3}(_[A-Z]{2})?)(\.[A-Za-z0-9][A-Za-z0-9-]{0,20})?(@[a-z]{1,20})?"
)
_CHARSET = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,30}")
Variable = Literal[
    "LANG", "LC_ADDRESS", "LC_COLLATE", "LC_CTYPE", "LC_IDENTIFICATION", "LC_MEASUREMENT",
    "LC_MESSAGES", "LC_MONETARY", "LC_NAME", "LC_NUMERIC", "LC_PAPER", "LC_TELEPHONE", "LC_TIME",
]  # fmt: skip


class LocaleSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A locale, generated, and if wished the default of some or all of the host's programs.

    Where there is a locale-gen, as on Debian, its list is edited and it generates; elsewhere
    localedef does. `ensure: absent` takes it out of the list, the archive and the defaults. No
    longer desired: the same if it was not there before us.
    """

    name: Annotated[
        str, Meta(description="As programs name it.", examples=["de_DE.UTF-8", "en_GB.UTF-8"])
    ]
    charset: Annotated[
        str | None, Meta(description="Left out: what the host's list of locales says.")
    ] = None
    default_for: Annotated[
        list[Variable],
        Meta(
            description="Variables of the host's default locale that are set to it.",
            examples=[["LANG"], ["LC_TIME", "LC_PAPER"]],
        ),
    ] = []
    ensure: Annotated[Ensure, Meta(description="`absent`: neither generated nor a default.")] = (
        "present"
    )


class FoundLocale(msgspec.Struct, frozen=True):
    """The list (None: there is no locale-gen), whether the locale is generated, and the defaults.

    `made` is "" where it is not generated, "archive", "folder" or "library" by where it lies.
    `names` are its names in the archive. `variables` are the defaults that the resource is about:
    wished for, or set to this locale.
    """

    listing: Found | None
    charset: str | None
    made: str
    defaults: Found
    variables: dict[str, str]
    names: tuple[str, ...] = ()

    @property
    def captured(self) -> CapturedStream | None:
        """Looking runs nothing."""
        return None

    def state(self) -> Json:
        """Return what a decision binds: where the locale comes from if not from us.

        The list, the archive and the defaults are also what the locales before it in the same apply
        change: one takes a default over from another, and locale-gen makes all that are listed.
        What this one does to them is the same whatever stood there.
        """
        return {"made": self.made if self.made in {"folder", "library"} else ""}


class Locale:
    """Locales."""

    name = "locale"
    spec_type: type[msgspec.Struct] = LocaleSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def __init__(self, root: str = "/") -> None:
        self._root = root

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of name and charset."""
        item = _spec(spec)
        problems: list[SpecProblem] = []
        if not _NAME.fullmatch(item.name):
            hint = "write it as programs do: de_DE.UTF-8"
            problems.append(SpecProblem("name", f"`{item.name[:50]}` is no locale's name", hint))
        if item.charset is not None and not _CHARSET.fullmatch(item.charset):
            problems.append(SpecProblem("charset", f"`{item.charset[:50]}` is no charset"))
        if item.ensure == "absent" and item.default_for:
            problems.append(SpecProblem("default_for", "what is absent is the default of nothing"))
        if item.ensure == "absent" and locales.normal(item.name) in BUILT_IN:
            problems.append(SpecProblem("ensure", "this locale is a part of the C library"))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the name as it is written."""
        del resource_id
        name = spec.get("name")
        return name if isinstance(name, str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the list, the archive, and both places of the defaults."""
        del spec
        paths = (LIST, f"{STORE}/locale-archive", DEBIAN_DEFAULT, DEFAULT)
        return tuple(f"{self._root}{path}" for path in paths)

    def runs_code(self, spec: Spec) -> bool:
        """Looking runs nothing."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """Several files have to be looked at."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> FoundLocale:
        """Return what the list, the archive and the defaults say."""
        del verify
        item = _spec(spec)
        listing = None
        if ports.files.stat(f"{self._root}{GENERATOR}") is not None:
            listing = owned_files.look(ports, f"{self._root}{LIST}")
        supported = owned_files.look(ports, f"{self._root}{SUPPORTED}").text
        charset = item.charset
        if charset is None and supported is not None:
            charset = locales.charset_of(item.name, supported)
        elif charset is None:
            charset = item.name.partition("@")[0].partition(".")[2] or None
        defaults = self._defaults(ports)
        mine = locales.normal(item.name)
        variables = {
            key: value
            for key, value in locales.variables(defaults.data or b"").items()
            if key in item.default_for or locales.normal(value) == mine
        }
        names = self._names(ports, item)
        made = self._made(ports, item) or ("archive" if names else "")
        return FoundLocale(listing, charset, made, defaults, variables, names)

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update or none; error for a locale that the host does not know."""
        del context
        item, found = _spec(spec), _found(observation)
        problem = _problem(item, found)
        if problem is not None:
            return Difference("error", message=problem)
        changes, steps = _gone(item, found) if item.ensure == "absent" else _there(item, found)
        if not changes:
            return Difference("none")
        # What was listed was wished for before us, and another locale's turn may generate it.
        fresh = not found.made and not _is_listed(item, found)
        made = item.ensure == "present" and fresh
        return Difference("create" if made else "update", tuple(changes), steps=tuple(steps))

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what the comparison has worked out."""
        del spec
        return difference.steps

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: what was not there before us goes, also as a default."""
        item, found = _spec(spec), _found(observation)
        if item.ensure == "absent":
            return Undo(message="forgotten: it is not generated again")
        if not applied.created or found.made == "library":
            return Undo(message="kept: it was there before us")
        problem = _problem(msgspec.structs.replace(item, ensure="absent"), found)
        if problem is not None:
            return Undo(message=f"kept: {problem}")
        changes, steps = _gone(item, found)
        if not steps:
            return Undo(message="already gone")
        return Undo(tuple(steps), tuple(changes), "take it out of the list and the archive")

    def _made(self, ports: Ports, item: LocaleSpec) -> str:
        name = locales.normal(item.name)
        if name in BUILT_IN:
            return "library"
        folder = ports.files.stat(f"{self._root}{STORE}/{name}")
        if folder is not None and folder.type == "directory":
            return "folder"
        return ""

    def _names(self, ports: Ports, item: LocaleSpec) -> tuple[str, ...]:
        path = f"{self._root}{STORE}/locale-archive"
        if ports.files.stat(path) is None:
            return ()
        try:
            archive = locales.archived(ports.files.read(path, locales.MAX_ARCHIVE))
        except ValueError as error:
            raise PortError(f"cannot read {path}: {error}") from error
        return locales.names_of(item.name, archive)

    def _defaults(self, ports: Ports) -> Found:
        """Return the file that holds the defaults; Debian's own is a link to the other by now."""
        found = owned_files.look(ports, f"{self._root}{DEBIAN_DEFAULT}")
        linked = found.type == "symlink" and (found.target or "").endswith("/locale.conf")
        debian = ports.files.stat(f"{self._root}etc/debian_version") is not None
        if linked or (found.type is None and not debian):
            return owned_files.look(ports, f"{self._root}{DEFAULT}")
        return found


def _spec(spec: Spec) -> LocaleSpec:
    return msgspec.convert(spec, LocaleSpec)


def _found(observation: Observation | None) -> FoundLocale:
    if not isinstance(observation, FoundLocale):
        raise TypeError(f"locale was handed {type(observation).__name__}")
    return observation


def _problem(item: LocaleSpec, found: FoundLocale) -> str | None:
    for each in (found.listing, found.defaults):
        if each is not None and each.type not in {None, "file"}:
            return f"{each.path} is a {each.type}, not a regular file; name the file itself"
    if item.ensure == "absent":
        if found.made == "folder":
            return f"{item.name} is no part of the archive: remove the package that brings it"
        return None
    if found.charset is None and not found.made:
        return f"this host knows no locale {item.name}; if it does, name the `charset`"
    return None


def _is_listed(item: LocaleSpec, found: FoundLocale) -> bool:
    return found.listing is not None and locales.listed(found.listing.data or b"", item.name)


def _there(item: LocaleSpec, found: FoundLocale) -> tuple[list[Change], list[Step]]:
    changes: list[Change] = []
    steps: list[Step] = []
    charset = found.charset or ""
    if found.listing is not None and found.made not in {"library", "folder"}:
        content = found.listing.data or b""
        edited = locales.with_listed(content, item.name, charset, present=True)
        if edited != content:
            changes.append(Change("listed", None, f"{item.name} {charset}"))
            steps.append(_edit(found.listing, edited))
    if not found.made:
        changes.append(Change("generated", None, item.name))
        steps.append(_generate(item, charset, listed=found.listing is not None))
    content = found.defaults.data or b""
    now = found.variables
    wrong = [key for key in item.default_for if now.get(key) != item.name]
    if wrong:
        changes += [Change(key, now.get(key), item.name) for key in wrong]
        steps.append(_edit(found.defaults, locales.with_variables(content, wrong, item.name)))
    return changes, steps


def _gone(item: LocaleSpec, found: FoundLocale) -> tuple[list[Change], list[Step]]:
    changes: list[Change] = []
    steps: list[Step] = []
    content = found.defaults.data or b""
    mine = locales.normal(item.name)
    set_to_it = [key for key, value in found.variables.items() if locales.normal(value) == mine]
    if set_to_it:
        changes += [Change(key, item.name, None) for key in set_to_it]
        steps.append(_edit(found.defaults, locales.with_variables(content, set_to_it, None)))
    if found.listing is not None:
        content = found.listing.data or b""
        edited = locales.with_listed(content, item.name, "", present=False)
        if edited != content:
            changes.append(Change("listed", item.name, None))
            steps.append(_edit(found.listing, edited))
    if found.made == "archive":
        changes.append(Change("generated", item.name, None))
        # Under each of its names: an alias that is left keeps the whole of it.
        argv = ("localedef", "--delete-from-archive", "--", *found.names)
        call = ProgramCall(argv, timeout=TIMEOUT)
        steps.append(RunScript(call, "apply"))
    return changes, steps


def _generate(item: LocaleSpec, charset: str, *, listed: bool) -> RunScript:
    if listed:
        return RunScript(ProgramCall(("locale-gen", "--keep-existing"), timeout=TIMEOUT), "apply")
    rest, at, modifier = item.name.partition("@")
    source = rest.partition(".")[0] + at + modifier
    argv = ("localedef", f"--inputfile={source}", f"--charmap={charset}", item.name)
    return RunScript(ProgramCall(argv, timeout=TIMEOUT), "apply")


def _edit(found: Found, content: bytes) -> EditFile:
    expected = None if found.data is None else hashlib.sha256(found.data).hexdigest()
    return EditFile(found.path, content, expected, 0o644 if expected is None else None)
