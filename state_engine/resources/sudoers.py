"""The kind `sudoers`: one file of /etc/sudoers.d, checked by visudo before it stands there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import Ports, ProgramCall
from state_engine.resources.contract import (
    Context,
    Difference,
    Glance,
    Observation,
    RunScript,
    Spec,
    SpecProblem,
    Step,
    Undo,
    WriteFile,
)
from state_engine.resources.parts import whole_file
from state_engine.resources.parts.account_files import under
from state_engine.resources.parts.whole_file import FoundFile, WholeFile

MODE = 0o440
VISUDO = "/usr/sbin/visudo"
DIRECTORY = "/etc/sudoers.d"
MAX_CONTENT = 65_536
TIMEOUT = 30.0
# sudo passes over a file whose name holds a dot or ends in `~`.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
_WHO = re.compile(r"%?[A-Za-z_][A-Za-z0-9_.-]{0,30}\$?|%?#[0-9]{1,10}|ALL")
_RUN_AS = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,30}(:[A-Za-z_][A-Za-z0-9_.-]{0,30})?|ALL(:ALL)?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# What sudo would read from elsewhere, wherever it stands; a line may go on after a backslash.
_INCLUDE = re.compile(r"[@#]include", re.IGNORECASE)
_CONTINUED = re.compile(r"\\[ \t]*\n")
_PLACE = re.compile(r"stdin:\d+(?::\d+)?: [^\n]{1,120}")


class SudoersSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file in /etc/sudoers.d: a whole text, or one rule from `who` and `commands`.

    It belongs to root with mode 0440 and takes its place in one step, after `visudo` has read the
    same text without an error; where there is no `visudo`, nothing is written unless `validate` is
    false. When the resource is removed, a file that we made is deleted and one that we overwrote
    comes back.
    """

    name: Annotated[
        str, Meta(description="File name in /etc/sudoers.d, without a dot.", examples=["deploy"])
    ]
    content: Annotated[
        str | None,
        Meta(
            description="The whole text; includes are refused. Excludes the fields of a rule.",
            examples=["%wheel ALL=(ALL:ALL) ALL\n"],
        ),
    ] = None
    who: Annotated[
        str | None,
        Meta(description="A user, a `%group`, or `ALL`.", examples=["deploy", "%wheel"]),
    ] = None
    commands: Annotated[
        list[str] | None,
        Meta(
            description="Commands with absolute paths, or `ALL`; `*` is sudo's wildcard.",
            examples=[["/usr/bin/systemctl restart app"]],
        ),
    ] = None
    run_as: Annotated[
        str | None,
        Meta(description="`user`, `user:group` or `ALL` (when left out).", examples=["postgres"]),
    ] = None
    no_password: Annotated[
        bool | None, Meta(description="Ask for no password. False when left out.")
    ] = None
    validate: Annotated[
        bool, Meta(description="Refuse what `visudo` has not read without an error.")
    ] = True
    ensure: Annotated[
        Literal["present", "absent"], Meta(description="Whether the file exists.")
    ] = "present"


class SudoersObservation(msgspec.Struct, frozen=True):
    """What stands there, and what visudo says of what is to stand there.

    `fault` is its first complaint; `checker` says whether there is a visudo to ask.
    """

    file: FoundFile | None
    fault: str | None = None
    checker: bool = True

    @property
    def captured(self) -> None:
        """What visudo says may quote a line, so it is not kept."""

    def state(self) -> Json:
        """Return what a decision binds: the verdict follows from the text that is desired."""
        return None if self.file is None else self.file.state()


class Sudoers:
    """Files of /etc/sudoers.d; `root` is the root directory of the system they belong to."""

    name = "sudoers"
    spec_type: type[msgspec.Struct] = SudoersSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def __init__(self, root: str = "/", visudo: str = VISUDO) -> None:
        self._directory = under(root, DIRECTORY)
        self._visudo = visudo

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of the name, the text, and of the parts of a rule."""
        file = _spec(spec)
        problems: list[SpecProblem] = []
        if not _NAME.fullmatch(file.name):
            hint = "use letters, digits, `_` and `-`; sudo passes over a name with a dot"
            problems.append(SpecProblem("name", f"`{file.name}` is not a usable file name", hint))
        if file.ensure == "absent":
            return problems
        if file.content is not None:
            return problems + _check_content(file, file.content)
        return problems + _check_rule(file)

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the file name."""
        del resource_id
        name = spec.get("name")
        return name if isinstance(name, str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the file's path."""
        return (self._wanted(_spec(spec)).path,)

    def runs_code(self, spec: Spec) -> bool:
        """The system's own visudo reads the text, and carries out nothing in it."""
        del spec
        return False

    def glance(self, spec: Spec) -> Glance | None:
        """Return the whole desired state."""
        return whole_file.glance(self._wanted(_spec(spec)))

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> SudoersObservation:
        """Return what is there; visudo is asked only about a text that is not there yet."""
        file = _spec(spec)
        wanted = self._wanted(file)
        found = whole_file.look(wanted, ports, verify=verify)
        content = wanted.content
        there = found is not None and found.digest == whole_file.name_of(content or "")
        if content is None or there or not file.validate:
            return SudoersObservation(found)
        if ports.files.stat(self._visudo) is None:
            return SudoersObservation(found, checker=False)
        captured = ports.programs.run(self._check(content))
        if captured.exit == 0:
            return SudoersObservation(found)
        place = _PLACE.search(captured.stderr + "\n" + captured.stdout)
        fault = place[0].rstrip() if place else f"exit {captured.exit}"
        return SudoersObservation(found, fault)

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update or none; error for a text that visudo refuses."""
        file = _spec(spec)
        wanted = self._wanted(file)
        if not isinstance(observation, SudoersObservation):
            raise TypeError(f"sudoers was handed {type(observation).__name__}")
        found = observation.file
        known = _known(found, context.left)
        difference = whole_file.compare(wanted, found, _fields(file), known)
        if difference.action not in {"create", "update"} or wanted.content is None:
            return difference
        if observation.fault is not None:
            return Difference("error", message=f"visudo refuses the text: {observation.fault}")
        message = difference.message
        steps = difference.steps
        if file.validate and any(isinstance(step, WriteFile) for step in steps):
            steps = (RunScript(self._check(wanted.content), "check"), *steps)
        if not observation.checker:
            message = f"{self._visudo} is not here: it must be, or `validate` be false, to apply"
        return Difference(difference.action, difference.changes, message, steps)

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what the comparison has worked out: first the check, then the file."""
        del spec
        return difference.steps

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: delete what we made, restore what we overwrote."""
        found = observation.file if isinstance(observation, SudoersObservation) else None
        return whole_file.undo(self._wanted(_spec(spec)), found, applied)

    def _wanted(self, file: SudoersSpec) -> WholeFile:
        content = None if file.ensure == "absent" else _content(file)
        return WholeFile(f"{self._directory}/{file.name}", content, MODE)

    def _check(self, content: str) -> ProgramCall:
        # From its standard input: no unchecked text lies anywhere, not even for a moment.
        argv = (self._visudo, "-c", "-f", "-")
        return ProgramCall(argv, stdin=content.encode(), timeout=TIMEOUT)


def _spec(spec: Spec) -> SudoersSpec:
    return msgspec.convert(spec, SudoersSpec)


def _check_content(file: SudoersSpec, content: str) -> list[SpecProblem]:
    problems: list[SpecProblem] = []
    for field, value in (
        ("who", file.who),
        ("commands", file.commands),
        ("run_as", file.run_as),
        ("no_password", file.no_password),
    ):
        if value is not None:
            message = f"`content` and `{field}` exclude each other"
            problems.append(SpecProblem(field, message, "keep the text, or write a rule"))
    if _CONTROL.search(content):
        problems.append(SpecProblem("content", "`content` holds a control character"))
    elif not content.endswith("\n"):
        problems.append(SpecProblem("content", "the last line is not complete", "end it with \\n"))
    if len(content) > MAX_CONTENT:
        problems.append(SpecProblem("content", f"`content` is longer than {MAX_CONTENT}"))
    if _INCLUDE.search(content) or _INCLUDE.search(_CONTINUED.sub("", content)):
        # It would show files of root's in what visudo says, and what they hold is not checked.
        problems.append(SpecProblem("content", "includes are not allowed here"))
    return problems


def _check_rule(file: SudoersSpec) -> list[SpecProblem]:
    if file.who is None and file.commands is None:
        hint = "write `content`, or `who` and `commands`"
        return [SpecProblem("content", "nothing says what the file holds", hint)]
    problems: list[SpecProblem] = []
    if file.who is None or not _WHO.fullmatch(file.who):
        hint = "name a user, a `%group`, or `ALL`"
        problems.append(SpecProblem("who", f"`{file.who or ''}` cannot be given a rule", hint))
    if not file.commands:
        problems.append(SpecProblem("commands", "a rule needs a command", "list one, or `ALL`"))
    for command in file.commands or []:
        if not _is_command(command):
            hint = "begin with an absolute path, without a backslash; else write `content`"
            problems.append(SpecProblem("commands", f"`{command}` is not usable in a rule", hint))
    if file.run_as is not None and not _RUN_AS.fullmatch(file.run_as):
        hint = "write `user`, `user:group` or `ALL`"
        problems.append(SpecProblem("run_as", f"`{file.run_as}` is not usable in a rule", hint))
    return problems


def _is_command(command: str) -> bool:
    plain = command.isprintable() and command == command.strip() and "\\" not in command
    return command == "ALL" or (plain and command.startswith("/") and len(command) > 1)


def _content(file: SudoersSpec) -> str:
    if file.content is not None:
        return file.content
    commands = ", ".join(re.sub(r"([,:=#])", r"\\\1", text) for text in file.commands or [])
    tag = "NOPASSWD: " if file.no_password else ""
    return f"{file.who} ALL=({file.run_as or 'ALL'}) {tag}{commands}\n"


def _fields(file: SudoersSpec) -> dict[str, str]:
    if file.ensure == "absent":
        return {}
    if file.content is not None:
        return {"content": file.content}
    return {
        "who": file.who or "",
        "commands": ", ".join(file.commands or []),
        "run_as": file.run_as or "ALL",
        "no_password": "true" if file.no_password else "false",
    }


def _known(found: FoundFile | None, left: Spec | None) -> dict[str, str] | None:
    """Return the fields as an earlier apply left them, if its text still stands.

    Nobody but root can read the file, so its text itself is not shown.
    """
    if found is None or left is None:
        return None
    try:
        before = _spec(left)
    except msgspec.ValidationError:
        return None
    same = before.ensure == "present" and found.digest == whole_file.name_of(_content(before))
    return _fields(before) if same else None
