"""Small faults are made where a decision is, one at a time, and nowhere in texts."""

from __future__ import annotations

import types

import pytest

from devtools import mutants

SOURCE = '''
"""Texts are left alone."""
LIMIT = 5

def may(age: int, names: list[str]) -> bool:
    """Say so."""
    check(age)
    if age < 18 and not names:
        raise ValueError(f"{age < 3} is too young")
    return any(name for name in names if name) or age + 1 > LIMIT
'''


def changes(source: str) -> list[str]:
    """Return what each fault changes."""
    return [mutants.mutant(source, "x.py", n).change for n in range(mutants.count(source))]


def test_every_decision_gets_its_faults() -> None:
    """Comparisons, conditions, numbers, checks and returns; no message and no constant outside."""
    found = changes(SOURCE)
    for expected in (
        "check(age) -> nothing",
        "age < 18 -> age <= 18",
        "age < 18 -> age >= 18",
        "not names -> names",
        "age < 18 and (not names) -> age < 18 or not names",
        "age < 18 and (not names) -> age < 18",
        "18 -> 19",
        "any -> all",
        "name -> not name",
        "age + 1 -> age - 1",
    ):
        assert expected in found
    assert any(change.startswith("raise ") and change.endswith("nothing") for change in found)
    assert any(change.startswith("return ") and change.endswith("return None") for change in found)
    assert not any("3" in change for change in found if "f'" not in change)
    assert not any(change.startswith("5") for change in found)


def test_a_fault_is_code_that_runs() -> None:
    """It takes the place of the function's own, wherever that was imported."""
    space: dict[str, object] = {"check": abs}
    exec(compile(SOURCE, "x.py", "exec"), space)  # noqa: S102 - a text of this test
    may = space["may"]
    assert isinstance(may, types.FunctionType)
    assert may(18, [])
    number = changes(SOURCE).index("age < 18 -> age <= 18")
    may.__code__ = mutants.mutant(SOURCE, "x.py", number).code
    with pytest.raises(ValueError, match="too young"):
        may(18, [])


def test_methods_and_nested_conditions_are_found_by_their_names() -> None:
    """A fault is listed by what it is, so that a shift of lines does not lose it."""
    source = "class A:\n    def f(self, x):\n        return x if x == 1 else 0\n"
    fault = mutants.mutant(source, "x.py", 0)
    assert fault.key("a/b.py").startswith("a/b.py A.f: ")
    assert fault.code.co_qualname == "A.f"
    assert "x == 1 -> x != 1" in changes(source)
