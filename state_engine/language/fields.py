"""Checks a spec against the fields of its kind: unknown, missing and of the wrong type.

The fields come from the kind's `spec_type`; what a kind checks beyond types is its own `validate`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache

import msgspec
from msgspec import inspect

from protocol.canonical import Json
from state_engine.language.expressions import as_text, is_expression
from state_engine.language.problems import Findings, one_of, pointer, quote
from state_engine.language.shape import describe_value
from state_engine.resources.contract import Kind


@cache
def fields_of(spec_type: type[msgspec.Struct]) -> dict[str, inspect.Field]:
    """Return the fields of a spec by the name that a module uses, in order."""
    info = inspect.type_info(spec_type)
    if not isinstance(info, inspect.StructType):
        raise TypeError(f"{spec_type.__name__} is not a struct")
    return {field.encode_name: field for field in info.fields}


def check_fields(
    kind: Kind,
    spec: dict[str, Json],
    path: str,
    findings: Findings,
    hidden: Collection[str] = (),
) -> bool:
    """Report what does not fit the kind's fields; say whether the spec converts as it stands.

    A text with an expression fits a field of any single value: it is checked on the node. The
    values of `hidden` fields are never quoted.
    """
    fields = fields_of(kind.spec_type)
    sound = True
    for name, value in spec.items():
        field = fields.get(name)
        if field is None:
            sound = False
            findings.add(
                path + pointer(name),
                "unknown-field",
                f"`{kind.name}` has no field {quote(name)}",
                hint=f"its fields are {one_of(fields)}",
                suggest=(name, [field for field in fields if field not in spec]),
            )
        elif name in hidden and not _fits_any(value, field.type):
            sound = False
            message = f"`{name}` must be {_words(_choices(field.type))}, and its secret is not"
            findings.add(path + pointer(name), "field-type", message)
        else:
            here = path + pointer(name)
            sound = _check(value, field.type, f"`{name}`", here, findings) and sound
    for name, field in fields.items():
        if field.required and name not in spec:
            sound = False
            message = f"`{kind.name}` needs the field `{name}`"
            findings.add(path, "missing-field", message)
    return sound


def _check(value: Json, wanted: inspect.Type, what: str, path: str, findings: Findings) -> bool:
    choices = _choices(wanted)
    if any(_fits(value, choice) for choice in choices):
        return True
    if is_expression(value) and not any(isinstance(choice, inspect.StrType) for choice in choices):
        return False  # may become right on the node, but does not convert now
    for choice in choices:
        if isinstance(choice, inspect.ListType) and isinstance(value, list):
            pairs = [(str(index), item) for index, item in enumerate(value)]
            return _check_items(pairs, choice.item_type, what, path, findings)
        if isinstance(choice, inspect.DictType) and isinstance(value, dict):
            return _check_items(list(value.items()), choice.value_type, what, path, findings)
    message = f"{what} must be {_words(choices)}, not {describe_value(value)}"
    findings.add(
        path, "field-type", message, hint=_hint(value, choices), suggest=_near(value, choices)
    )
    return False


def _check_items(
    pairs: list[tuple[str, Json]], wanted: inspect.Type, what: str, path: str, findings: Findings
) -> bool:
    results = [
        _check(item, wanted, f"an entry of {what}", path + pointer(key), findings)
        for key, item in pairs
    ]
    return all(results)


def _choices(wanted: inspect.Type) -> list[inspect.Type]:
    if isinstance(wanted, inspect.UnionType):
        return [choice for part in wanted.types for choice in _choices(part)]
    if isinstance(wanted, inspect.Metadata):
        return _choices(wanted.type)
    return [wanted]


def _fits(value: Json, wanted: inspect.Type) -> bool:
    match wanted:
        case inspect.NoneType():
            return value is None
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool) and _inside(value, wanted)
        case inspect.StrType():
            return isinstance(value, str)
        case inspect.LiteralType():
            return isinstance(value, str) and value in wanted.values
        case inspect.ListType():
            return isinstance(value, list) and all(_fits_any(i, wanted.item_type) for i in value)
        case inspect.DictType():
            return isinstance(value, dict) and all(
                _fits_any(item, wanted.value_type) for item in value.values()
            )
        case _:
            raise TypeError(f"a spec field of type {type(wanted).__name__} is not supported")


def _fits_any(value: Json, wanted: inspect.Type) -> bool:
    return any(_fits(value, choice) for choice in _choices(wanted))


def _inside(value: int, wanted: inspect.IntType) -> bool:
    above = wanted.ge is None or value >= wanted.ge
    return above and (wanted.le is None or value <= wanted.le)


def _words(choices: Sequence[inspect.Type]) -> str:
    """Return what a field takes in the words of a message; "nothing" is left out."""
    return " or ".join(
        _word(choice) for choice in choices if not isinstance(choice, inspect.NoneType)
    )


def _word(wanted: inspect.Type) -> str:
    match wanted:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            low = "" if wanted.ge is None else f" from {wanted.ge}"
            high = "" if wanted.le is None else f" to {wanted.le}"
            return f"a whole number{low}{high}"
        case inspect.LiteralType():
            return f"one of {one_of(str(value) for value in wanted.values)}"
        case inspect.ListType():
            return f"a list, each entry {_words(_choices(wanted.item_type))}"
        case inspect.DictType():
            return f"a mapping, each value {_words(_choices(wanted.value_type))}"
        case _:
            return "text"


def _hint(value: Json, choices: Sequence[inspect.Type]) -> str | None:
    kinds = {type(choice) for choice in choices}
    if inspect.BoolType in kinds and isinstance(value, str):
        word = value.lower()
        if word in {"yes", "on", "true", "y"}:
            return "write true"
        if word in {"no", "off", "false", "n"}:
            return "write false"
    if inspect.StrType in kinds and isinstance(value, bool | int):
        return "write it in quotes"
    if inspect.IntType in kinds and isinstance(value, str) and value.isdecimal():
        return f"write {quote(value)} without quotes"
    if inspect.ListType in kinds and isinstance(value, str):
        return f"write [{value[:40]}]"
    return None


def _near(value: Json, choices: Sequence[inspect.Type]) -> tuple[str, list[str]] | None:
    words = [
        str(word)
        for choice in choices
        if isinstance(choice, inspect.LiteralType)
        for word in choice.values
    ]
    return (value, words) if isinstance(value, str) and words else None


def coerce(value: Json, wanted: inspect.Type) -> Json:
    """Return a resolved value in the form that its field takes, if it has one.

    A text becomes a number or truth value, those become text, also inside lists and mappings.
    """
    choices = _choices(wanted)
    if any(_fits(value, choice) for choice in choices):
        return value
    for choice in choices:
        if isinstance(choice, inspect.ListType) and isinstance(value, list):
            return [coerce(item, choice.item_type) for item in value]
        if isinstance(choice, inspect.DictType) and isinstance(value, dict):
            return {key: coerce(item, choice.value_type) for key, item in value.items()}
    kinds = {type(choice) for choice in choices}
    if not isinstance(value, str):
        text = as_text(value)
        words = {inspect.StrType, inspect.LiteralType}
        return value if text is None or not kinds & words else text
    if inspect.BoolType in kinds and value in {"true", "false"}:
        return value == "true"
    # 16 digits hold every integer that a message can carry.
    if inspect.IntType in kinds and value.isascii() and value.isdigit() and len(value) <= 16:
        return int(value)
    return value
