"""Laws of tag selectors."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import DecodeError
from protocol.selectors import Clause, Selector, parse

KEY = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,6}[A-Za-z0-9])?", fullmatch=True)
VALUE = st.from_regex(r"[A-Za-z0-9._:@/+-]{0,6}", fullmatch=True)
CLAUSE = st.one_of(
    st.builds(Clause, KEY, st.sampled_from(("present", "absent"))),
    st.builds(Clause, KEY, st.sampled_from(("equals", "differs")), VALUE.map(lambda v: (v,))),
    st.builds(
        Clause, KEY, st.just("in"), st.lists(VALUE.filter(bool), min_size=1, max_size=3).map(tuple)
    ),
)


@given(st.lists(CLAUSE, max_size=5).map(lambda clauses: Selector(tuple(clauses))))
def test_a_selector_parses_back_from_its_text(selector: Selector) -> None:
    """What is shown to a person means what it meant."""
    assert parse(str(selector)) == selector


@given(st.text("ab=!*(),in \t;\n", max_size=20))
def test_any_text_is_a_selector_or_a_refusal(text: str) -> None:
    """Nothing else comes out, and what is parsed round-trips."""
    try:
        selector = parse(text)
    except DecodeError:
        return
    assert parse(str(selector)) == selector


@given(CLAUSE, st.dictionaries(KEY, VALUE, max_size=3))
def test_a_clause_and_its_opposite_never_both_hold(clause: Clause, tags: dict[str, str]) -> None:
    """`key` and `!key`, `=` and `!=` divide the hosts."""
    opposite = {"present": "absent", "absent": "present", "equals": "differs", "differs": "equals"}
    if clause.test != "in":
        other = Clause(clause.key, opposite[clause.test], clause.values)  # type: ignore[arg-type]  # from the table
        assert clause.matches(tags) != other.matches(tags)
