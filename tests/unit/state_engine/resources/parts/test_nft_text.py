"""Reading the text of a ruleset, and bringing listings into one form."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state_engine.resources.parts import nft_text


@pytest.mark.parametrize(
    "text",
    [
        "}\ntable inet theirs { chain x {} ",
        "chain a {",
        "chain a { } }",
        'chain a { log prefix "x }" } }',
        'chain a { log prefix "x\n } }" }',
        "# }\n}",
        'include "/etc/shadow"',
        'set a { type ipv4_addr; }; include "x"',
        "chain a { \\\n }",
        "chain\0 a {}",
        'log prefix "open',
        "x" * (nft_text.MAX_TEXT + 1),
    ],
)
def test_a_text_that_could_leave_its_table_is_refused(text: str) -> None:
    """Braces, quotes, includes, what nft may read as something else."""
    assert nft_text.read(text).problem


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("chain a { } # }", "chain a { }\n"),
        ('log prefix "a # } b" # "c', 'log prefix "a # } b"\n'),
        ("# include all\n\tset a { elements = { 1, 2 } }\n", "\tset a { elements = { 1, 2 } }\n"),
        ('log prefix "include"', 'log prefix "include"\n'),
        ("chain includes { }", "chain includes { }\n"),
    ],
)
def test_comments_go_and_the_rest_stays(text: str, kept: str) -> None:
    """What nft gets holds no comment, so none can be read in two ways."""
    assert nft_text.read(text) == nft_text.Read(kept)


@given(st.text('{}"# \n;abinclude', max_size=40))
def test_what_is_accepted_stays_between_the_braces(text: str) -> None:
    """Read again, character by character: the depth is never below that of the table."""
    found = nft_text.read(text)
    if found.problem is not None:
        return
    depth, quoted = 0, False
    for char in found.text:
        if char == '"':
            quoted = not quoted
        elif not quoted:
            assert char != "#"
            depth += {"{": 1, "}": -1}.get(char, 0)
            assert depth >= 0
    assert (depth, quoted) == (0, False)


def listing(*objects: object) -> str:
    return json.dumps({"nftables": [{"metainfo": {"version": "1"}}, *objects]})


def rule(chain: str, number: int, *expr: object) -> dict[str, object]:
    return {
        "rule": {"family": "inet", "table": "t", "chain": chain, "handle": number, "expr": [*expr]}
    }


def test_counters_handles_and_the_order_of_sets_mean_nothing() -> None:
    one = listing(
        {"table": {"family": "inet", "name": "t", "handle": 1}},
        rule(
            "a", 4, {"counter": {"packets": 7, "bytes": 9}}, {"match": {"right": {"set": [1, 2]}}}
        ),
        {"counter": {"family": "inet", "table": "t", "name": "c", "packets": 1, "bytes": 2}},
    )
    other = listing(
        {"counter": {"family": "inet", "table": "t", "name": "c", "packets": 5, "bytes": 6}},
        {"table": {"family": "inet", "name": "t", "handle": 9}},
        rule(
            "a", 5, {"counter": {"packets": 0, "bytes": 0}}, {"match": {"right": {"set": [2, 1]}}}
        ),
    )
    first, second = nft_text.objects(one), nft_text.objects(other)
    assert nft_text.normal(first) == nft_text.normal(second)


def test_the_order_of_rules_in_a_chain_means_something() -> None:
    drop, accept = {"drop": None}, {"accept": None}
    one = nft_text.objects(listing(rule("a", 1, drop), rule("a", 2, accept), rule("b", 3, drop)))
    two = nft_text.objects(listing(rule("a", 1, accept), rule("a", 2, drop), rule("b", 3, drop)))
    three = nft_text.objects(listing(rule("b", 3, drop), rule("a", 1, drop), rule("a", 2, accept)))
    assert nft_text.normal(one) != nft_text.normal(two)
    assert nft_text.normal(one) == nft_text.normal(three)


def test_what_packets_put_into_a_set_means_nothing() -> None:
    """A set that a rule fills, or whose elements expire; of any other set the elements count."""

    def text(elements: list[int], *more: object, flags: tuple[str, ...] = ()) -> str:
        found = {"set": {"table": "t", "name": "s", "flags": [*flags], "elem": elements}}
        return nft_text.normal(nft_text.objects(listing(found, *more)))

    fills = rule("a", 1, {"set": {"op": "update", "elem": {}, "set": "@s"}})
    assert text([1]) != text([2])
    assert text([1], flags=("timeout",)) == text([2], flags=("timeout",))
    assert text([1], fills) == text([2], fills)


def test_a_quota_is_compared_by_what_it_allows() -> None:
    def text(allowed: int, used: int) -> str:
        found = {"quota": {"table": "t", "name": "q", "bytes": allowed, "used": used}}
        return nft_text.normal(nft_text.objects(listing(found)))

    assert text(10, 1) == text(10, 5)
    assert text(10, 1) != text(20, 1)


def test_objects_of_another_table_are_strangers() -> None:
    ours: list[tuple[str, nft_text.Object]] = [
        ("table", {"family": "inet", "name": "t"}),
        ("chain", {"family": "inet", "table": "t", "name": "theirs"}),
    ]
    assert not nft_text.strangers(ours, "inet", "t")
    assert nft_text.strangers([*ours, ("table", {"family": "ip", "name": "t"})], "inet", "t")
    assert nft_text.strangers([*ours, ("set", {"family": "inet", "table": "u"})], "inet", "t")


def test_what_is_no_listing_is_an_error() -> None:
    with pytest.raises(ValueError, match="listing"):
        nft_text.objects("nonsense")
