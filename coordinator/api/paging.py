"""Lists that are paged, sorted and filtered: one grammar for every family that publishes it.

`page` `page_size` `sort=-a,b` · `f=v` with `*` anywhere · `f__in=a,b` · `f__gte/gt/lte/lt/ne` ·
booleans `has_x`, `is_x`. Each list declares its fields; anything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, Literal, TypeVar

from litestar.openapi.spec import Operation, Parameter, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType

from coordinator.domain.refusals import Refusal, invalid
from protocol import api

T = TypeVar("T")
Value = str | int | bool | None
FieldKind = Literal["text", "number", "time", "flag"]
Test = Callable[[Value], bool]

MAX_PAGE_SIZE = 100
DEFAULT_PAGE_SIZE = 20
# 10**9 pages of 100: more than any list has, and far from what an integer column overflows at.
MAX_PAGE = 1_000_000_000
# One filter: a name has at most 128 characters, an enrolment key 4,096.
MAX_VALUE = 4_096
MAX_ALTERNATIVES = 100
_SORT = re.compile(r"-?[A-Za-z0-9_]+(,-?[A-Za-z0-9_]+)*\Z")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_RANGES = ("gte", "gt", "lte", "lt")


@dataclass(frozen=True, slots=True)
class Field(Generic[T]):
    """One field that a list may be filtered or sorted by; `read` takes it from an item.

    `exact`: `f=v`. `many`: `f__in`. `wild`: `*` in `f=v`. `ranges`: `f__gte` and the others.
    """

    name: str
    kind: FieldKind
    read: Callable[[T], Value]
    sortable: bool = False
    exact: bool = True
    many: bool = False
    wild: bool = False
    ranges: bool = False

    def parameters(self) -> tuple[str, ...]:
        """Return the query parameters that this field gives rise to."""
        names = [self.name] if self.exact else []
        names += [f"{self.name}__in"] if self.many else []
        names += [f"{self.name}__{test}" for test in (*_RANGES, "ne")] if self.ranges else []
        return tuple(names)


@dataclass(frozen=True, slots=True)
class Grammar(Generic[T]):
    """The fields of one list; the last of equal items is told apart by `identity`."""

    fields: tuple[Field[T], ...]
    identity: Callable[[T], str]
    default_sort: str = "-inserted_at"

    def names(self) -> tuple[str, ...]:
        """Return every query parameter that the list takes."""
        filters = (name for field in self.fields for name in field.parameters())
        return ("page", "page_size", "sort", "order_by", "order_directions", *filters)

    def sortable(self) -> tuple[str, ...]:
        """Return the fields that `sort` may name."""
        return tuple(field.name for field in self.fields if field.sortable)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list, and where it stands."""

    items: tuple[T, ...]
    pagination: api.Pagination


def select(grammar: Grammar[T], query: Mapping[str, str], items: Iterable[T]) -> Page[T] | Refusal:
    """Return the page of a list that a query asks for."""
    page = _whole(query, "page", 1, MAX_PAGE)
    if isinstance(page, Refusal):
        return page
    size = _whole(query, "page_size", DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
    if isinstance(size, Refusal):
        return size
    order = _order(grammar, query)
    if isinstance(order, Refusal):
        return order
    kept = keep(grammar, query, items)
    if isinstance(kept, Refusal):
        return kept
    # Sorting is stable, so the last key goes first; the identity decides between equals.
    kept.sort(key=grammar.identity)
    for field, descending in reversed(order):
        kept.sort(key=_ranking(field), reverse=descending)
    return _cut(kept, page, size)


def keep(grammar: Grammar[T], query: Mapping[str, str], items: Iterable[T]) -> list[T] | Refusal:
    """Return the items that the filters of a query leave, in their order."""
    kept = list(items)
    for field in grammar.fields:
        for name in field.parameters():
            if name in query:
                test = _test(field, name, query[name])
                if isinstance(test, Refusal):
                    return test
                kept = [item for item in kept if test(field.read(item))]
    return kept


def _cut(kept: Sequence[T], page: int, size: int) -> Page[T]:
    total = len(kept)
    pages = -(-total // size)
    return Page(
        tuple(kept[(page - 1) * size : page * size]),
        api.Pagination(
            page=page,
            page_size=size,
            total_count=total,
            total_pages=pages,
            has_next=page < pages,
            has_prev=page > 1,
            next_page=page + 1 if page < pages else None,
            prev_page=page - 1 if page > 1 else None,
        ),
    )


def _whole(query: Mapping[str, str], name: str, default: int, most: int) -> int | Refusal:
    text = query.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,10}", text) or not 1 <= int(text) <= most:
        return invalid(name, f"{name} must be 1 to {most}")
    return int(text)


def _order(grammar: Grammar[T], query: Mapping[str, str]) -> list[tuple[Field[T], bool]] | Refusal:
    text = query.get("sort")
    if text is None and "order_by" in query:
        text = _older_order(query["order_by"], query.get("order_directions", ""))
    text = grammar.default_sort if text is None else text
    if len(text) > MAX_VALUE or not _SORT.match(text):
        return invalid("sort", "sort is a list such as -inserted_at,name")
    fields = {field.name: field for field in grammar.fields if field.sortable}
    order: list[tuple[Field[T], bool]] = []
    for part in text.split(","):
        field = fields.get(part.removeprefix("-"))
        if field is None:
            return invalid("sort", f"sort by {', '.join(fields)}; not by {part[:64]!r}")
        order.append((field, part.startswith("-")))
    return order


def _older_order(fields: str, directions: str) -> str:
    # The older published grammar: two lists side by side, `asc` where nothing stands.
    given = directions.split(",") if directions else []
    padded = [*given, *["asc"] * len(fields.split(","))]
    pairs = zip(fields.split(","), padded, strict=False)
    return ",".join(f"-{field}" if way.startswith("desc") else field for field, way in pairs)


def _ranking(field: Field[T]) -> Callable[[T], tuple[bool, float, str]]:
    return lambda item: _rank(field.read(item))


def _rank(value: Value) -> tuple[bool, float, str]:
    # One order over all that a field may hold; what is absent comes last when ascending.
    if value is None:
        return (True, 0.0, "")
    if isinstance(value, str):
        return (False, 0.0, value)
    return (False, float(value), "")


def _test(field: Field[T], name: str, text: str) -> Test | Refusal:
    if len(text) > MAX_VALUE:
        return invalid(name, f"{name} has at most {MAX_VALUE} characters")
    suffix = name.removeprefix(field.name).removeprefix("__")
    if field.kind == "flag":
        return _flag(name, text)
    if suffix == "in":
        return _membership(name, text)
    if field.kind == "number":
        return _numeric(name, text, suffix)
    if field.kind == "time":
        return _temporal(name, text, suffix)
    if field.wild and "*" in text:
        return _wildcard(text)
    if suffix == "ne":
        return lambda value: value != text
    return lambda value: value == text


def _flag(name: str, text: str) -> Test | Refusal:
    if text not in {"true", "false"}:
        return invalid(name, f"{name} must be true or false")
    wanted = text == "true"
    return lambda value: value is wanted


def _membership(name: str, text: str) -> Test | Refusal:
    parts = text.split(",")
    if len(parts) > MAX_ALTERNATIVES or len(set(parts)) != len(parts) or "" in parts:
        return invalid(name, f"{name} is a list of up to {MAX_ALTERNATIVES} different values")
    wanted = frozenset(parts)
    return lambda value: value in wanted


def _numeric(name: str, text: str, suffix: str) -> Test | Refusal:
    if not re.fullmatch(r"-?[0-9]{1,15}", text):
        return invalid(name, f"{name} must be a whole number")
    return _compare(float(text), suffix)


def _temporal(name: str, text: str, suffix: str) -> Test | Refusal:
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        if _DATE.match(text) and suffix in {"lte", "gt"}:
            # A date alone means its whole day: up to its last moment, or after it.
            at += timedelta(days=1, microseconds=-1)
        limit = at.timestamp()
    except (ValueError, OverflowError):
        return invalid(name, f"{name} must be an ISO 8601 date or time")
    test = _compare(limit, suffix)

    def compare(value: Value) -> bool:
        return isinstance(value, str) and test(datetime.fromisoformat(value).timestamp())

    return compare


def _compare(limit: float, suffix: str) -> Callable[[Value | float], bool]:
    def compare(value: Value | float) -> bool:
        if value is None or isinstance(value, str):
            return suffix == "ne" and value is None
        match suffix:
            case "gte":
                return value >= limit
            case "gt":
                return value > limit
            case "lte":
                return value <= limit
            case "lt":
                return value < limit
            case "ne":
                return value != limit
            case _:
                return value == limit

    return compare


def _wildcard(text: str) -> Test:
    # Compared part by part rather than by a pattern of `.*`, which a hostile text could make slow.
    parts = text.casefold().split("*")

    def matches(value: Value) -> bool:
        if not isinstance(value, str):
            return False
        rest = value.casefold()
        if not rest.startswith(parts[0]) or not rest[len(parts[0]) :].endswith(parts[-1]):
            return False
        rest = rest[len(parts[0]) : len(rest) - len(parts[-1])]
        for part in parts[1:-1]:
            at = rest.find(part)
            if at < 0:
                return False
            rest = rest[at + len(part) :]
        return True

    return matches


def operation(grammar: Grammar[T]) -> type[Operation]:
    """Return the operation class that documents a list's parameters."""
    parameters = [
        _documented("page", "Which page, from 1.", OpenAPIType.INTEGER, None),
        _documented("page_size", "Items on a page, 1 to 100.", OpenAPIType.INTEGER, None),
        _documented(
            "sort",
            f"Fields, `-` for descending: {', '.join(grammar.sortable())}.",
            OpenAPIType.STRING,
            None,
        ),
        _documented("order_by", "The older form of `sort`.", OpenAPIType.STRING, None),
        _documented("order_directions", "`asc` or `desc` for each.", OpenAPIType.STRING, None),
    ]
    types = {"text": OpenAPIType.STRING, "number": OpenAPIType.INTEGER, "flag": OpenAPIType.BOOLEAN}
    for field in grammar.fields:
        for name in field.parameters():
            listed = name.endswith("__in")
            kind = OpenAPIType.STRING if listed else types.get(field.kind, OpenAPIType.STRING)
            form = OpenAPIFormat.DATE_TIME if field.kind == "time" else None
            parameters.append(_documented(name, _meaning(field, name), kind, form))

    @dataclass
    class Listing(Operation):
        def __post_init__(self) -> None:
            self.parameters = [*(self.parameters or []), *parameters]

    return Listing


def _meaning(field: Field[T], name: str) -> str:
    if name.endswith("__in"):
        return f"Items whose {field.name} is one of a comma list."
    if name != field.name:
        return f"Items whose {field.name} compares so."
    return f"Items with this {field.name}" + ("; `*` stands for any text." if field.wild else ".")


def _documented(
    name: str, description: str, kind: OpenAPIType, form: OpenAPIFormat | None
) -> Parameter:
    schema = Schema(type=kind, format=form)
    return Parameter(
        name=name, param_in="query", description=description, required=False, schema=schema
    )
