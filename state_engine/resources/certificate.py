"""The kind `certificate`: a certificate signed with its own key, or a request for one, and its key.

The key is made on the host and stays there: a plan knows the digest of its public half.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import Action, CapturedStream, Change, TriggerKind
from state_engine.model import AppliedResource, CertificateWish, KeyType
from state_engine.ports import PortError, Ports
from state_engine.resources.contract import (
    Context,
    Difference,
    MakeCertificate,
    Observation,
    RemoveFile,
    SetAttributes,
    Spec,
    SpecProblem,
    Step,
    Undo,
)
from state_engine.resources.parts import certificates
from state_engine.resources.parts.accounts import group_as, user_as
from state_engine.resources.parts.certificates import DAY, SUBJECT, Facts, KeyFacts
from state_engine.resources.parts.unix_paths import check_account, check_mode, check_path, mode_text

MAX_FILE = 65_536
DEFAULT_DAYS = 365
RENEW_DAYS = 30
KEY_MODE = "0600"
Text = Annotated[str, Meta(min_length=1, max_length=64)]


class CertificateSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A certificate signed with its own key, or a request that somebody else is to sign.

    The key is made on the host, is readable by its owner alone, and is never replaced unless
    `key_type` says so (the old one is kept among the host's copies). A certificate is made anew
    when it does not say what it should, does not fit the key, or ends in `renew_before` days.
    Removal deletes the certificate if we made it; the key stays unless `on_remove: delete`.
    """

    path: Annotated[
        str,
        Meta(
            description="Absolute path of the certificate (or request), in PEM.",
            examples=["/etc/ssl/example.crt"],
        ),
    ]
    key: Annotated[
        str,
        Meta(
            description="Absolute path of the private key, in PEM.",
            examples=["/etc/ssl/private/example.key"],
        ),
    ]
    type: Annotated[
        Literal["self-signed", "request"] | None,
        Meta(description="`self-signed` (the default), or `request`: to be signed elsewhere."),
    ] = None
    subject: Annotated[
        dict[str, Text] | None,
        Meta(description="Whose it is, by `C`, `ST`, `L`, `O`, `OU` and `CN`."),
    ] = None
    names: Annotated[
        list[str] | None,
        Meta(
            description="Alternative names: hosts, addresses, or `DNS:`, `IP:`, `email:`, `URI:`.",
            examples=[["www.example.org", "192.0.2.1"]],
        ),
    ] = None
    key_type: Annotated[
        KeyType | None, Meta(description="What sort of key; `ecdsa-p256` if left out.")
    ] = None
    days: Annotated[
        Annotated[int, Meta(ge=1, le=36_500)] | None,
        Meta(description="For how long it is good; 365 if left out."),
    ] = None
    renew_before: Annotated[
        Annotated[int, Meta(ge=0, le=36_500)] | None,
        Meta(description="How many days before its end it is made anew; at most 30 if left out."),
    ] = None
    owner: Annotated[str | None, Meta(description="Owner of both files.")] = None
    group: Annotated[str | None, Meta(description="Group of both files.")] = None
    mode: Annotated[str | None, Meta(description="Mode of the certificate.", examples=["0644"])] = (
        None
    )
    key_mode: Annotated[
        str | None, Meta(description="Mode of the key; 0600 if left out.", examples=["0640"])
    ] = None
    ensure: Annotated[
        Literal["present", "absent"] | None,
        Meta(description="`present` (the default), or `absent`: the certificate; the key stays."),
    ] = None


class FileSeen(msgspec.Struct, frozen=True):
    """Owner, group and mode of a file."""

    owner: str
    group: str
    mode: int


class CertificateObservation(msgspec.Struct, frozen=True):
    """Certificate and key as found; no facts of a file that is there: it cannot be read.

    `left` is in days, rounded down; `due` says that it has to be renewed.
    """

    file: FileSeen | None = None
    facts: Facts | None = None
    key_file: FileSeen | None = None
    key: KeyFacts | None = None
    left: int = 0
    due: bool = False

    @property
    def captured(self) -> CapturedStream | None:
        """No command is run."""
        return None

    def state(self) -> Json:
        """Return what a decision binds; not the days left, which change by themselves."""
        files: list[Json] = [
            None if seen is None else [seen.owner, seen.group, seen.mode]
            for seen in (self.file, self.key_file)
        ]
        return {
            "certificate": None if self.facts is None else self.facts.fingerprint,
            "key": None if self.key is None else self.key.key,
            "files": files,
            "due": self.due,
        }


class Certificate:
    """Certificates."""

    name = "certificate"
    spec_type: type[msgspec.Struct] = CertificateSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of paths, names, subject, times and modes."""
        wish = _spec(spec)
        problems = check_path("path", wish.path) + check_path("key", wish.key)
        problems += check_account("owner", wish.owner) + check_account("group", wish.group)
        problems += check_mode(wish.mode)
        for problem in check_mode(wish.key_mode):
            problems.append(msgspec.structs.replace(problem, field="key_mode"))
        if wish.key_mode is not None and not problems and int(wish.key_mode, 8) & 0o7137:
            hint = "0600, 0400, or 0640 with a group"
            message = f"`{wish.key_mode}` lets others at the private key"
            problems.append(SpecProblem("key_mode", message, hint))
        if wish.path == wish.key:
            problems.append(SpecProblem("key", "the key needs a file of its own"))
        for name in wish.subject or {}:
            if name not in SUBJECT:
                message = f"`{name}` is no part of a subject"
                problems.append(SpecProblem("subject", message, f"one of {', '.join(SUBJECT)}"))
        country = (wish.subject or {}).get("C", "XX")
        if len(country) != 2:
            problems.append(SpecProblem("subject", "`C` is a country's code of two letters"))
        for text in wish.names or []:
            if certificates.read_name(text) is None:
                hint = "a host's name, an address, or `DNS:`, `IP:`, `email:`, `URI:` and a value"
                problems.append(SpecProblem("names", f"`{text}` is no alternative name", hint))
        if not wish.subject and not wish.names and wish.ensure != "absent":
            problems.append(SpecProblem("names", "it says of nobody whose it is", "give `names`"))
        return problems + _check_times(wish)

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the certificate's path."""
        del resource_id
        path = spec.get("path")
        return path if isinstance(path, str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return both files."""
        wish = _spec(spec)
        return (wish.path, wish.key)

    def runs_code(self, spec: Spec) -> bool:
        """Nothing is run."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """How long it is still good, only reading tells."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> CertificateObservation:
        """Return what the files say, and whether the time for another has come."""
        del verify
        wish = _spec(spec)
        file, data = _read(wish.path, wish, ports)
        key_file, key_data = _read(wish.key, wish, ports)
        facts = None if data is None else certificates.read(data)
        key = None if key_data is None else certificates.read_key(key_data)
        if facts is None or facts.request:
            return CertificateObservation(file, facts, key_file, key)
        seconds = facts.end - ports.clock()
        due = seconds <= _renew_days(wish) * DAY
        return CertificateObservation(file, facts, key_file, key, int(seconds // DAY), due)

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update or none; error for a key that cannot be read."""
        del context
        wish, found = _spec(spec), _found(observation)
        if wish.ensure == "absent":
            if found.file is None:
                return Difference("none")
            change = Change("ensure", "present", "absent")
            return Difference("update", (change,), steps=(RemoveFile(wish.path, backup=True),))
        if found.key_file is not None and found.key is None:
            message = f"{wish.key} is there and cannot be read as a key; it is not replaced"
            return Difference("error", message=message)
        said, kept = _what_it_says(wish, found), _attributes(wish, found)
        if not said and not kept:
            return Difference("none")
        steps = _made(wish, found) if said else _set(wish)
        action: Action = "create" if found.file is None else "update"
        return Difference(action, (*said, *kept), steps=steps)

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what comparing has found to be done."""
        del spec
        return difference.steps

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return the removal of a certificate that we made; the key only if the module says so."""
        wish, found = _spec(spec), _found(observation)
        steps: list[Step] = []
        changes: list[Change] = []
        if found.file is not None and applied.created:
            steps.append(RemoveFile(wish.path))
            changes.append(Change("certificate", "present"))
        delete_key = applied.resource.on_remove == "delete" and found.key_file is not None
        if delete_key:
            steps.append(RemoveFile(wish.key))
            changes.append(Change("key", "present"))
        kept = "" if found.key_file is None or delete_key else "; the key stays"
        if not steps:
            reason = (
                "forgotten: it is gone" if found.file is None else "kept: it was there before us"
            )
            return Undo(message=f"{reason}{kept}")
        return Undo(tuple(steps), tuple(changes), f"delete what was made{kept}")

    def revert(
        self, spec: Spec, observation: Observation | None, copies: Mapping[str, str]
    ) -> tuple[Step, ...]:
        """Return the removal of files that were not there before; nothing else is taken back."""
        del copies
        wish, found = _spec(spec), _found(observation)
        if wish.ensure == "absent" or found.file is not None:
            return ()
        key = () if found.key_file is not None else (RemoveFile(wish.key, backup=True),)
        return (RemoveFile(wish.path), *key)


def _spec(spec: Spec) -> CertificateSpec:
    return msgspec.convert(spec, CertificateSpec)


def _found(observation: Observation | None) -> CertificateObservation:
    if not isinstance(observation, CertificateObservation):
        raise TypeError(f"certificate was handed {type(observation).__name__}")
    return observation


def _wish(spec: CertificateSpec) -> CertificateWish:
    names = {name for text in spec.names or [] if (name := certificates.read_name(text))}
    given = spec.subject or {}
    subject = tuple((name, given[name]) for name in SUBJECT if name in given)
    return CertificateWish(
        subject,
        tuple(sorted(names)),
        spec.key_type or "ecdsa-p256",
        spec.days or DEFAULT_DAYS,
        spec.type == "request",
    )


def _renew_days(spec: CertificateSpec) -> int:
    days = spec.days or DEFAULT_DAYS
    return min(RENEW_DAYS, days // 3) if spec.renew_before is None else spec.renew_before


def _check_times(spec: CertificateSpec) -> list[SpecProblem]:
    if spec.type == "request":
        given = (("days", spec.days), ("renew_before", spec.renew_before))
        message = "whoever signs a request says for how long"
        return [SpecProblem(field, message) for field, value in given if value is not None]
    if _renew_days(spec) >= (spec.days or DEFAULT_DAYS):
        message = "it would be made anew at every apply: `renew_before` is not below `days`"
        return [SpecProblem("renew_before", message)]
    return []


def _read(path: str, wish: CertificateSpec, ports: Ports) -> tuple[FileSeen | None, bytes | None]:
    stat = ports.files.stat(path)
    if stat is None:
        return None, None
    if stat.type != "file":
        raise PortError(f"{path} is not a regular file", "EINVAL")
    seen = FileSeen(
        user_as(wish.owner, stat.uid, ports.accounts),
        group_as(wish.group, stat.gid, ports.accounts),
        stat.mode,
    )
    data = ports.files.read(path, MAX_FILE + 1)
    return seen, None if len(data) > MAX_FILE else data


def _what_it_says(spec: CertificateSpec, found: CertificateObservation) -> tuple[Change, ...]:
    wish, facts = _wish(spec), found.facts
    if found.file is None:
        return (Change("certificate", None, spec.type or "self-signed"),)
    if facts is None or facts.request != wish.request:
        was = "unreadable" if facts is None else ("request" if facts.request else "certificate")
        return (Change("certificate", was, spec.type or "self-signed"),)
    pairs = [
        ("subject", _subject_text(facts.subject), _subject_text(tuple(sorted(wish.subject)))),
        ("names", ", ".join(facts.names), ", ".join(wish.names)),
        ("issuer", facts.issuer or "self-signed", "self-signed"),
        ("key_type", found.key.type if found.key else "", wish.key_type if found.key else ""),
    ]
    if not wish.request:
        pairs.append(("days", str(facts.days), str(wish.days)))
    changes = [Change(field, was, to) for field, was, to in pairs if was != to]
    if found.key is None:
        changes.append(Change("key", None, wish.key_type))
    elif found.key.key != facts.key:
        changes.append(Change("key", "of another certificate", "its own"))
    if found.due:
        changes.append(Change("renew_before", f"{found.left} days left", str(_renew_days(spec))))
    return tuple(changes)


def _subject_text(subject: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{name}={value}" for name, value in subject)


def _attributes(spec: CertificateSpec, found: CertificateObservation) -> tuple[Change, ...]:
    changes: list[Change] = []
    files = (("", found.file, spec.mode), ("key_", found.key_file, spec.key_mode or KEY_MODE))
    for prefix, seen, mode in files:
        if seen is None:
            continue
        if mode is not None and int(mode, 8) != seen.mode:
            changes.append(Change(f"{prefix}mode", mode_text(seen.mode), mode))
        for field, was, to in (
            ("owner", seen.owner, spec.owner),
            ("group", seen.group, spec.group),
        ):
            if to is not None and was != to:
                changes.append(Change(f"{prefix}{field}", was, to))
    return tuple(changes)


def _made(spec: CertificateSpec, found: CertificateObservation) -> tuple[Step, ...]:
    wish = _wish(spec)
    new_key = found.key is None or found.key.type != wish.key_type
    make = MakeCertificate(
        spec.path,
        spec.key,
        wish,
        new_key,
        None if found.key is None else found.key.key,
        owner=spec.owner,
        group=spec.group,
    )
    return (make, *_set(spec))


def _set(spec: CertificateSpec) -> tuple[Step, ...]:
    mode = None if spec.mode is None else int(spec.mode, 8)
    key_mode = int(spec.key_mode or KEY_MODE, 8)
    steps: list[Step] = [SetAttributes(spec.key, key_mode, spec.owner, spec.group)]
    if mode is not None or spec.owner is not None or spec.group is not None:
        steps.append(SetAttributes(spec.path, mode, spec.owner, spec.group))
    return tuple(steps)
