"""The kind `ini-setting`: the value of one key in one section of a file in the INI form."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import Change
from state_engine.resources.contract import Spec, SpecProblem
from state_engine.resources.parts import text_lines
from state_engine.resources.parts.file_part import FilePart, Part, Verdict, needed, path_of
from state_engine.resources.parts.text_lines import Line, check_line
from state_engine.resources.parts.unix_paths import Ensure, check_path

MAX_KEY = 200
# No piece of it can match what the next one starts with, so it takes linear time.
_HEADER = re.compile(r"\s*\[([^\]]*)\]\s*(?:[#;].*)?")
_MARK = b"\xef\xbb\xbf"  # some editors put a byte order mark at the start


class IniSettingSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One key of a file in the INI form; comments, order, and how `=` is written are kept.

    The value is all that follows `=` or `:`, a comment behind it included, without the spaces
    around it. A key that stands in its section several times is brought to stand once. On removal
    a key that we added is taken out (its section's header stays); a value that took another's place
    stays.
    """

    path: Annotated[
        str,
        Meta(
            description="Absolute path of a regular file.", examples=["/etc/systemd/resolved.conf"]
        ),
    ]
    key: Annotated[str, Meta(description="The key, as written.", examples=["DNSSEC"])]
    value: Annotated[
        str | None, Meta(description="The value, in one line.", examples=["allow-downgrade"])
    ] = None
    section: Annotated[
        str | None,
        Meta(description="The section; left out: the part before the first.", examples=["Resolve"]),
    ] = None
    create: Annotated[
        bool | None, Meta(description="Make the file if it is missing. Default: false.")
    ] = None
    ensure: Annotated[Ensure, Meta(description="`absent` takes the key out of its section.")] = (
        "present"
    )


class Setting(msgspec.Struct, frozen=True):
    """One line with a value: what stands before the value, and the value."""

    index: int
    before: str
    value: str


class IniSetting(FilePart):
    """Settings of files in the INI form."""

    name = "ini-setting"
    spec_type: type[msgspec.Struct] = IniSettingSpec

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of path, section, key and value."""
        item = _spec(spec)
        problems = check_path("path", item.path)
        problems += _check_word("key", item.key, "=")
        if item.key.startswith(("[", "#", ";")):
            problems.append(SpecProblem("key", "`key` starts as a section or comment does"))
        if item.section is not None:
            problems += _check_word("section", item.section, "]")
        if item.value is not None:
            problems += check_line("value", item.value)
            if item.value != item.value.strip():
                problems.append(SpecProblem("value", "`value` starts or ends with a space"))
            elif item.value.endswith("\\"):
                message = "`value` ends with a backslash, which joins the next line to it"
                problems.append(SpecProblem("value", message))
        elif item.ensure == "present":
            problems.append(needed("value", "present"))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the path with section and key."""
        del resource_id
        path, key = path_of(spec), path_of(spec, "key")
        if path is None or key is None:
            return None
        section = path_of(spec, "section")
        return f"{path}: {key}" if section is None else f"{path}: [{section}] {key}"

    def part(self, spec: Spec) -> Part:
        """Return path, ensure, create."""
        item = _spec(spec)
        return Part(item.path, item.ensure, bool(item.create))

    def judge(self, spec: Spec, content: bytes) -> Verdict:
        """Return the content with the setting in it (or out of it)."""
        item = _spec(spec)
        mark, lines = _lines(content)
        inside = _inside(item.section, lines)
        found = _settings(item.key, inside, lines)
        values = [each.value for each in found]
        facts: dict[str, Json] = {
            "section": inside is not None,
            "values": [*map(text_lines.digest, values)],
        }
        if any(_goes_on(each, lines) for each in found):
            problem = f"`{item.key}` in {item.path} has a value of several lines"
            return Verdict(content, there=True, facts=facts, problem=problem)
        wanted = item.value if item.ensure == "present" else None
        if values == ([] if wanted is None else [wanted]):
            return Verdict(content, there=bool(found), facts=facts)
        change = Change("value", "\n".join(values) if found else None, wanted)
        if not found and wanted is not None:
            edited = _added(item, inside, lines)
        else:
            edited = _replaced(found, wanted, lines)
        whole = mark + text_lines.join(edited)
        return Verdict(whole, there=bool(found), facts=facts, changes=(change,))

    def taken_out(self, spec: Spec, content: bytes) -> bytes:
        """Return the content without the key, if its value is still ours."""
        item = _spec(spec)
        mark, lines = _lines(content)
        found = _settings(item.key, _inside(item.section, lines), lines)
        ours = [each for each in found if each.value == item.value and not _goes_on(each, lines)]
        return mark + text_lines.join(_replaced(ours[-1:], None, lines))

    def is_bare(self, content: bytes) -> bool:
        """Say whether a content holds nothing but headers of sections."""
        _, lines = _lines(content)
        return not any(line.text.strip() and not _HEADER.fullmatch(line.text) for line in lines)


def _spec(spec: Spec) -> IniSettingSpec:
    return msgspec.convert(spec, IniSettingSpec)


def _check_word(field: str, text: str, without: str) -> list[SpecProblem]:
    if not text or text != text.strip():
        return [SpecProblem(field, f"`{field}` is empty, or starts or ends with a space")]
    if without in text:
        return [SpecProblem(field, f"`{field}` holds a `{without}`")]
    return check_line(field, text, MAX_KEY)


def _lines(content: bytes) -> tuple[bytes, list[Line]]:
    mark = _MARK if content.startswith(_MARK) else b""
    return mark, text_lines.split(content.removeprefix(mark))


def _is_comment(text: str) -> bool:
    return text.lstrip().startswith(("#", ";"))


def _inside(section: str | None, lines: list[Line]) -> list[int] | None:
    """Return the lines of a section, headers first if it has any; None if there is no such one."""
    found: list[int] = []
    here = section is None
    known = here
    for index, line in enumerate(lines):
        header = _HEADER.fullmatch(line.text)
        if header is not None:
            here = section is not None and header[1].strip() == section
            known = known or here
        if here:
            found.append(index)
    return found if known else None


def _settings(key: str, inside: list[int] | None, lines: list[Line]) -> list[Setting]:
    """Return the lines that give the key a value; a key without any `=` has an empty one."""
    found: list[Setting] = []
    for index in inside or ():
        text = lines[index].text
        rest = text.lstrip()
        if not rest.startswith(key):
            continue
        rest = rest[len(key) :]
        value = rest.lstrip()
        if value.startswith(("=", ":")):
            value = value[1:].strip()
            before = text.rstrip()
            if value:
                before = before[: len(before) - len(value)]
            elif before.endswith((" =", " :")):
                before += " "
            found.append(Setting(index, before, value))
        elif not value:
            found.append(Setting(index, text.rstrip() + " = ", ""))
    return found


def _goes_on(setting: Setting, lines: list[Line]) -> bool:
    """Say whether the value goes on in the next line, which no form of INI file writes alike."""
    if setting.value.endswith("\\"):
        return True
    if setting.index + 1 >= len(lines):
        return False
    following = lines[setting.index + 1].text
    if not following.strip() or _is_comment(following) or _HEADER.fullmatch(following):
        return False
    return _indent(following) > _indent(setting.before)


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


def _replaced(found: list[Setting], value: str | None, lines: list[Line]) -> list[Line]:
    """Return the lines with the last setting at a value and without the others."""
    gone = {each.index for each in found}
    changed: dict[int, Line] = {}
    if found and value is not None:
        last = found[-1]
        gone.discard(last.index)
        changed[last.index] = Line(last.before + value, lines[last.index].end)
    return [changed.get(i, line) for i, line in enumerate(lines) if i not in gone]


def _added(item: IniSettingSpec, inside: list[int] | None, lines: list[Line]) -> list[Line]:
    text = item.key + _style(inside, lines) + (item.value or "")
    if inside is None:
        blank = [""] if lines and lines[-1].text.strip() else []
        return text_lines.insert(lines, len(lines), [*blank, f"[{item.section}]", text])
    used = [i for i in inside if lines[i].text.strip() and not _is_comment(lines[i].text)]
    if used:
        # As far in as the section's first setting: the last line may go on from one before it.
        first = next((lines[i].text for i in used if not _HEADER.fullmatch(lines[i].text)), "")
        place = _past_block(inside, used[-1] + 1, lines)
        return text_lines.insert(lines, place, [first[: _indent(first)] + text])
    # Nothing is set before the first section: a file without sections goes on at its end.
    place = len(lines) if len(inside) == len(lines) else 0
    return text_lines.insert(lines, place, [text])


def _past_block(inside: list[int], place: int, lines: list[Line]) -> int:
    """Return the place, or the one after the managed block that it is in (see `block-in-file`)."""
    section = frozenset(inside)
    for index in range(place, len(lines)):
        if index not in section or " BEGIN " in lines[index].text:
            break
        if " END " in lines[index].text and _is_comment(lines[index].text):
            return index + 1
    return place


def _style(inside: list[int] | None, lines: list[Line]) -> str:
    """Return how `=` is written: as in the same section, else as in the file, else ` = `."""
    for index in [*(inside or []), *range(len(lines))]:
        text: str = lines[index].text
        if _is_comment(text) or "=" not in text or _HEADER.fullmatch(text):
            continue
        key, _, value = text.partition("=")
        spaces = value[: _indent(value)] if value.strip() else key[len(key.rstrip()) :]
        return key[len(key.rstrip()) :] + "=" + spaces
    return " = "
