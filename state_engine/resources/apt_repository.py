"""The kind `apt-repository`: a source list of apt, the key that signs it, and its index."""

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
from state_engine.ports import FileType, Ports
from state_engine.resources.contract import (
    Context,
    Difference,
    MakeDirectory,
    Observation,
    RemoveFile,
    RunScript,
    Spec,
    SpecProblem,
    Step,
    Undo,
    WriteFile,
)
from state_engine.resources.parts import text_diff
from state_engine.resources.parts.apt_tools import AptTools
from state_engine.resources.parts.unix_paths import check_path

# Source lists and public keys are a few kilobytes.
MAX_SHOWN = 65_536
FILE_MODE = 0o644
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")  # apt passes over files with other names
_URI = re.compile(r"(?:https?|file|mirror\+https?|mirror\+file|tor\+https?):/[!-~]*")
_SUITE = re.compile(r"[A-Za-z0-9./][A-Za-z0-9._/+~-]*")
_COMPONENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]*")
_ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]*")
_KEY_BEGIN = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
_KEY_END = "-----END PGP PUBLIC KEY BLOCK-----"

Words = Annotated[list[str], Meta(min_length=1, max_length=64)]


class AptRepositorySpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A package repository: `sources.list.d/NAME.sources`, its key, and the index fetched from it.

    The index is fetched whenever the files change, and of this repository only; packages that come
    from it name it in `depends_on`. Signatures are always checked. With `ensure: absent` both files
    are removed (a copy is kept), as they are once a repository that we created is no longer
    desired; packages installed from it stay.
    """

    name: Annotated[
        str, Meta(description="Name of the files, without their endings.", examples=["example"])
    ]
    uris: Annotated[
        Words | None,
        Meta(description="Where the repository is.", examples=[["https://deb.example.org/debian"]]),
    ] = None
    suites: Annotated[
        Words | None,
        Meta(description="Suites; one with a final `/` is a path.", examples=[["bookworm"]]),
    ] = None
    components: Annotated[
        Words | None,
        Meta(description="Components; none where the suites are paths.", examples=[["main"]]),
    ] = None
    architectures: Annotated[
        Words | None,
        Meta(description="Architectures to fetch, if not all of the host's.", examples=[["amd64"]]),
    ] = None
    key: Annotated[
        str | None,
        Meta(
            description=(
                "The public key that signs it, as ASCII-armoured text; written to"
                " `/etc/apt/keyrings/NAME.asc`. Excludes `signed_by`."
            ),
            examples=[f"{_KEY_BEGIN}\n…\n{_KEY_END}\n"],
        ),
    ] = None
    signed_by: Annotated[
        str | None,
        Meta(
            description="Absolute path of a keyring that is already there. Excludes `key`.",
            examples=["/usr/share/keyrings/debian-archive-keyring.gpg"],
        ),
    ] = None
    ensure: Annotated[
        Literal["present", "absent"] | None,
        Meta(description="`present` (the default) or `absent`."),
    ] = None


class Found(msgspec.Struct, frozen=True):
    """One of the two files as found; `text` only of one that is small and public."""

    type: FileType
    digest: str | None = None
    text: str | None = None
    readable: bool = True


class RepositoryObservation(msgspec.Struct, frozen=True):
    """The source list, the key, and whether there is a directory for keys."""

    sources: Found | None = None
    key: Found | None = None
    keyrings: bool = True

    @property
    def captured(self) -> CapturedStream | None:
        """Looking at files runs nothing."""
        return None

    def state(self) -> Json:
        """Return what a decision binds."""
        return {
            name: None
            if found is None
            else {"type": found.type, "content": found.digest, "readable": found.readable}
            for name, found in (("sources", self.sources), ("key", self.key))
        }


class AptRepository:
    """Repositories of the system below `root`."""

    name = "apt-repository"
    spec_type: type[msgspec.Struct] = AptRepositorySpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def __init__(self, root: str = "/") -> None:
        self._apt = f"{root.rstrip('/')}/etc/apt"
        self._tools = AptTools(root)

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of names and addresses, of the key, and of fields that are missing."""
        item = _spec(spec)
        problems: list[SpecProblem] = []
        if not _NAME.fullmatch(item.name):
            message = f"`{item.name}` cannot be the name of a source list"
            problems.append(SpecProblem("name", message, "letters, digits and `_.-`"))
        if item.ensure == "absent":
            return problems
        for field, given in (("uris", item.uris), ("suites", item.suites)):
            if given is None:
                problems.append(SpecProblem(field, f"`{field}` is missing", f"add `{field}`"))
        problems += _check_words(item)
        problems += _check_components(item)
        return problems + _check_key(item)

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the name."""
        del resource_id
        name = spec.get("name")
        return name if isinstance(name, str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the paths of the source list and the key."""
        return self._paths(_spec(spec))

    def runs_code(self, spec: Spec) -> bool:
        """Looking at files runs nothing."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """Two files are more than one glance."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> RepositoryObservation:
        """Return both files as they are."""
        item = _spec(spec)
        sources, key = self._paths(item)
        ours = item.key is not None or item.ensure == "absent"
        return RepositoryObservation(
            _look(sources, ports, verify=verify),
            _look(key, ports, verify=verify) if ours else None,
            ports.files.stat(f"{self._apt}/keyrings") is not None,
        )

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update, none; run where only the index is left to be fetched."""
        item, found = _spec(spec), _found(observation)
        paths = self._paths(item)
        for path, file in zip(paths, (found.sources, found.key), strict=True):
            if file is not None and file.type != "file":
                return Difference("error", message=f"{path} is not a regular file; move it away")
        if item.ensure == "absent":
            return self._absence(item, found)
        fetch = RunScript(self._tools.update(paths[0]), "apply")
        text = self._sources(item)
        changes, steps = _due("sources", paths[0], text, found.sources)
        if item.key is not None:
            due, writes = _due("key", paths[1], item.key, found.key)
            if due and not found.keyrings:
                steps = (MakeDirectory(f"{self._apt}/keyrings", 0o755), *steps)
            changes, steps = (*changes, *due), (*steps, *writes)
        if changes:
            # "create" says that both files are ours to remove again.
            new = found.sources is None and found.key is None
            return Difference("create" if new else "update", changes, steps=(*steps, fetch))
        if context.applied or context.acted:
            return Difference("none")
        change = Change("index", None, "fetched")
        message = "its index has not been fetched by an apply that succeeded"
        return Difference("run", (change,), message, (fetch,))

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what comparing has found to be done."""
        del spec
        return difference.steps

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: remove the files that we created, keeping copies; leave others as they are."""
        item, found = _spec(spec), _found(observation)
        if found.sources is None and found.key is None:
            return Undo(message="already gone")
        if not applied.created:
            return Undo(message="kept: it was there before us")
        return Undo(self._removals(item, found), message="remove its files, keeping copies")

    def _paths(self, item: AptRepositorySpec) -> tuple[str, str]:
        return (
            f"{self._apt}/sources.list.d/{item.name}.sources",
            f"{self._apt}/keyrings/{item.name}.asc",
        )

    def _removals(self, item: AptRepositorySpec, found: RepositoryObservation) -> tuple[Step, ...]:
        pairs = zip(self._paths(item), (found.sources, found.key), strict=True)
        return tuple(
            RemoveFile(path, backup=True)
            for path, file in pairs
            if file is not None and file.type == "file"
        )

    def _absence(self, item: AptRepositorySpec, found: RepositoryObservation) -> Difference:
        steps = self._removals(item, found)
        if not steps:
            return Difference("none")
        return Difference("update", (Change("ensure", "present", "absent"),), steps=steps)

    def _sources(self, item: AptRepositorySpec) -> str:
        """Return the source list in the format of deb822; values hold no blank and no line end."""
        signed_by = self._paths(item)[1] if item.key is not None else item.signed_by
        fields = (
            ("Types", ["deb"]),
            ("URIs", item.uris),
            ("Suites", item.suites),
            ("Components", item.components),
            ("Architectures", item.architectures),
            ("Signed-By", None if signed_by is None else [signed_by]),
        )
        return "".join(f"{name}: {' '.join(words)}\n" for name, words in fields if words)


def _spec(spec: Spec) -> AptRepositorySpec:
    return msgspec.convert(spec, AptRepositorySpec)


def _found(observation: Observation | None) -> RepositoryObservation:
    if not isinstance(observation, RepositoryObservation):
        raise TypeError(f"apt-repository was handed {type(observation).__name__}")
    return observation


def _look(path: str, ports: Ports, *, verify: bool) -> Found | None:
    stat = ports.files.stat(path)
    if stat is None:
        return None
    if stat.type != "file":
        return Found(stat.type)
    readable = bool(stat.mode & 0o004)
    data = ports.files.read_public(path, MAX_SHOWN) if stat.size <= MAX_SHOWN else None
    digest = ports.files.digest(path, verify=verify)
    return Found(
        "file", digest, None if data is None else data.decode("utf-8", "replace"), readable
    )


def _due(
    field: str, path: str, text: str, found: Found | None
) -> tuple[tuple[Change, ...], tuple[Step, ...]]:
    """Return what differs in one file, and the write that mends it."""
    data = text.encode()
    wanted = hashlib.sha256(data).hexdigest()
    if found is not None and found.digest == wanted and found.readable:
        return (), ()
    diff: tuple[str, ...] = ()
    if field == "sources" and (found is None or found.text is not None):
        old = "" if found is None or found.text is None else found.text
        diff = text_diff.unified(old, text, path, created=found is None)
    current = None if found is None else f"sha256:{found.digest}"
    change = Change(field, current, f"sha256:{wanted}", diff=diff)
    changes = [change] if current != change.desired else []
    if found is not None and not found.readable:
        # apt fetches and checks as a user of its own.
        changes.append(Change(f"{field} readable by apt", "false", "true"))
    return tuple(changes), (WriteFile(path, data, FILE_MODE),)


def _check_words(item: AptRepositorySpec) -> list[SpecProblem]:
    problems: list[SpecProblem] = []
    fields = (
        ("uris", item.uris, _URI, "an address such as `https://deb.example.org/debian`"),
        ("suites", item.suites, _SUITE, "a suite such as `bookworm`, or a path that ends in `/`"),
        ("components", item.components, _COMPONENT, "a component such as `main`"),
        ("architectures", item.architectures, _ARCHITECTURE, "an architecture such as `amd64`"),
    )
    for field, words, shape, hint in fields:
        problems += [
            SpecProblem(field, f"`{word}` does not belong in `{field}`", hint)
            for word in words or ()
            if not shape.fullmatch(word)
        ]
    problems += [
        SpecProblem(
            "uris",
            "an address must not hold a user or password: every user can read a source list",
            "put them into /etc/apt/auth.conf.d",
        )
        for uri in item.uris or ()
        if "@" in uri.partition("://")[2].partition("/")[0]
    ]
    return problems


def _check_components(item: AptRepositorySpec) -> list[SpecProblem]:
    paths = [suite.endswith("/") for suite in item.suites or ()]
    if paths and all(paths) and item.components is not None:
        return [SpecProblem("components", "suites that are paths have no components")]
    if any(paths) and not all(paths):
        return [SpecProblem("suites", "a path and a suite cannot stand in one repository")]
    if paths and not any(paths) and item.components is None:
        return [SpecProblem("components", "`components` is missing", "add for example `main`")]
    return []


def _check_key(item: AptRepositorySpec) -> list[SpecProblem]:
    problems: list[SpecProblem] = []
    if item.key is not None and item.signed_by is not None:
        message = "`key` and `signed_by` exclude each other"
        problems.append(SpecProblem("signed_by", message, "keep one of the two"))
    if item.key is not None:
        key = item.key.strip()
        if not (key.startswith(_KEY_BEGIN) and key.endswith(_KEY_END)) or "PRIVATE" in key:
            message = "`key` is not an ASCII-armoured public key"
            problems.append(SpecProblem("key", message, f"it begins with `{_KEY_BEGIN}`"))
        elif not key.isascii() or len(key) > MAX_SHOWN:
            message = f"`key` is not ASCII, or longer than {MAX_SHOWN} bytes"
            problems.append(SpecProblem("key", message))
    if item.signed_by is not None:
        problems += check_path("signed_by", item.signed_by)
        if not re.fullmatch(r"[!-~]+", item.signed_by) or "," in item.signed_by:
            message = "`signed_by` holds a blank, a comma or a control character"
            problems.append(SpecProblem("signed_by", message, "name one keyring by its path"))
    return problems
