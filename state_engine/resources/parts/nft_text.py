"""The text of a ruleset, and the listing of a table: what is pure about nftables.

Text that a module brings is only ever put between the braces of one table. So that it cannot leave
them, it is read here as nft reads it, and handed on without what could be read differently.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import itemgetter

import msgspec

from protocol.canonical import Json

MAX_TEXT = 524_288
# A table of the scratch network that has to outlive the load: nothing in the text emptied the rest.
CANARY = "standfast_canary"
Object = dict[str, Json]
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_/.\\-]*")
# What a running table counts, and the numbers that the kernel gives: not what anybody has written.
_COUNTED = frozenset({"handle", "packets", "bytes", "used", "expires", "index"})


class Read(msgspec.Struct, frozen=True):
    """A text without its comments, or why it is not taken."""

    text: str = ""
    problem: str | None = None


def read(text: str) -> Read:
    """Return the inside of a table, checked so that it ends where the table ends."""
    if len(text) > MAX_TEXT:
        return Read(problem=f"the ruleset is longer than {MAX_TEXT} characters")
    kept: list[str] = []
    depth = 0
    for number, raw in enumerate(text.split("\n"), 1):
        line = _line(raw)
        if isinstance(line, Read):
            return Read(problem=f"line {number}: {line.problem}")
        bare = re.sub(r'"[^"]*"', '""', line)
        for char in bare:
            depth += {"{": 1, "}": -1}.get(char, 0)
            if depth < 0:
                return Read(problem=f"line {number}: a brace too many would end the table")
        if "include" in _WORD.findall(bare):
            return Read(problem=f"line {number}: `include` reads other files; write it out")
        kept.append(line)
    if depth:
        return Read(problem="a brace is not closed")
    return Read("\n".join(kept).strip("\n") + "\n")


def load(family: str, name: str, text: str) -> str:
    """Return the transaction that makes the table anew, whether or not there is one."""
    return f"{delete(family, name)}table {family} {name} {{\n{text}}}\n"


def delete(family: str, name: str) -> str:
    """Return the transaction that deletes the table, whether or not there is one."""
    return f"table {family} {name}\ndelete table {family} {name}\n"


def objects(listing: str) -> list[tuple[str, Object]]:
    """Return what `nft -j list` has printed, by type.

    Raises:
        ValueError: it is not such a listing.
    """
    try:
        found = msgspec.json.decode(listing, type=dict[str, list[dict[str, Object]]])
    except msgspec.DecodeError as error:
        raise ValueError(f"nft prints no listing: {error}") from error
    pairs = [pair for each in found.get("nftables", []) for pair in each.items()]
    return [pair for pair in pairs if pair[0] != "metainfo"]


def strangers(found: Sequence[tuple[str, Object]], family: str, name: str) -> bool:
    """Say whether there is anything that belongs to no table of this name."""
    return any(
        (each.get("family"), each.get("name" if kind == "table" else "table")) != (family, name)
        for kind, each in found
    )


def without(found: Sequence[tuple[str, Object]], name: str) -> list[tuple[str, Object]]:
    """Return the objects without the empty table of a name."""
    return [each for each in found if each[0] != "table" or each[1].get("name") != name]


def normal(found: Sequence[tuple[str, Object]]) -> str:
    """Return one text for all listings that mean the same.

    Counters, handles and the order of sets mean nothing; nor does what packets put into a set.
    """
    filled = _filled(found)
    rest: list[str] = []
    rules: list[tuple[str, str]] = []
    for kind, each in found:
        dynamic = each.get("name") in filled or _flags(each) & {"dynamic", "timeout"}
        drop = set(_COUNTED)
        if kind in {"set", "map"} and dynamic:
            drop.add("elem")
        # Of a named quota the bytes are what is allowed; only `used` is counted.
        if kind == "quota":
            drop.discard("bytes")
        plain = {key: _plain(key, value) for key, value in each.items() if key not in drop}
        text = msgspec.json.encode({kind: plain}, order="deterministic").decode()
        if kind == "rule":
            rules.append((str(each.get("chain")), text))
        else:
            rest.append(text)
    # Only within a chain does the order of rules mean anything.
    rules.sort(key=itemgetter(0))
    return "\n".join([*sorted(rest), *(text for _, text in rules)])


def _line(raw: str) -> str | Read:
    """Return a line without its comment."""
    if any(not char.isprintable() and char != "\t" for char in raw):
        return Read(problem="a control character")
    quoted = False
    for place, char in enumerate(raw):
        if char == '"':
            quoted = not quoted
        elif char == "\\":
            return Read(problem="a backslash; write one line, or break it where nft allows it")
        elif char == "#" and not quoted:
            return raw[:place].rstrip()
    return Read(problem="a quotation mark is not closed") if quoted else raw.rstrip()


def _filled(found: Sequence[tuple[str, Object]]) -> set[str]:
    """Return the names of the sets that rules put elements into."""
    names: set[str] = set()
    waiting: list[Json] = [each.get("expr") for kind, each in found if kind == "rule"]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            target = value.get("set", value.get("map"))
            if "op" in value and isinstance(target, str) and target.startswith("@"):
                names.add(target[1:])
            waiting += value.values()
    return names


def _flags(each: Object) -> set[str]:
    flags = each.get("flags")
    return {flag for flag in flags if isinstance(flag, str)} if isinstance(flags, list) else set()


def _plain(key: str, value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _plain(name, each) for name, each in value.items() if name not in _COUNTED}
    if isinstance(value, list):
        plain = [_plain("", each) for each in value]
        if key in {"elem", "set", "flags"}:
            return sorted(plain, key=lambda each: msgspec.json.encode(each, order="deterministic"))
        return plain
    return value
