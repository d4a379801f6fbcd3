"""Whatever hosts say: nothing is lost in grouping, nothing reaches the terminal as a command."""

from __future__ import annotations

import unicodedata
from operator import itemgetter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from client.failures import ClientError
from client.node_names import find
from client.render.grouping import group, totals
from client.render.plan import plan_lines
from client.render.safe_text import safe, safe_diff
from protocol.api import Agent
from protocol.ids import fold_name
from protocol.reports import Action, Change, ResourceDiff

ACTIONS = st.sampled_from(msgspec.convert(
    ["none", "create", "update", "remove", "run", "unknown", "error"], list[Action]
))  # fmt: skip
WORDS = st.sampled_from(["a", "b", "/etc/a", "\x1b[2J", ""])
CHANGES = st.builds(
    Change,
    field=WORDS,
    current=st.none() | WORDS,
    desired=st.none() | WORDS,
    sensitive=st.booleans(),
    diff=st.lists(WORDS, max_size=2).map(tuple),
)
ITEMS = st.builds(
    ResourceDiff,
    module=WORDS,
    type=WORDS,
    identity=WORDS,
    action=ACTIONS,
    changes=st.lists(CHANGES, max_size=2).map(tuple),
    message=st.none() | WORDS,
    desired=WORDS,
    observed=WORDS,
)
PLANS = st.dictionaries(
    st.sampled_from([f"web-{number}" for number in range(6)]),
    st.lists(ITEMS, max_size=5).map(tuple),
    max_size=6,
)
Plans = dict[str, tuple[ResourceDiff, ...]]


@given(PLANS)
def test_each_change_of_each_host_stands_in_exactly_one_group(plans: Plans) -> None:
    """Grouping is a partition: as many as there are, none twice, none for the wrong host."""
    groups = group(plans)
    shown = sorted(
        (host, one.item.identity, one.item.action) for one in groups for host in one.hosts
    )
    real = sorted(
        (host, item.identity, item.action)
        for host, items in plans.items()
        for item in items
        if item.action != "none"
    )
    assert shown == real
    assert len({msgspec.json.encode(one.item) for one in groups}) == len(groups)


@given(PLANS, st.randoms(use_true_random=False))
def test_the_order_of_hosts_changes_nothing(plans: Plans, random: object) -> None:
    """The same fleet gives the same screen."""
    assert hasattr(random, "sample")
    shuffled = dict(random.sample(list(plans.items()), len(plans)))
    assert group(shuffled) == group(plans)
    assert plan_lines(shuffled) == plan_lines(plans)


@given(PLANS)
def test_the_summary_counts_every_resource_once(plans: Plans) -> None:
    """The totals add up to what the hosts said."""
    sums = totals(plans)
    counted = sums.add + sums.change + sums.remove + sums.run + sums.unchanged + sums.unknown
    assert counted == sum(map(len, plans.values()))
    assert sums.hosts == len(plans)


@given(PLANS)
def test_no_sensitive_value_is_in_any_group(plans: Plans) -> None:
    """A mask is a mask on every way to the screen."""
    for one in group(plans):
        for change in one.item.changes:
            if change.sensitive:
                assert {change.current, change.desired} <= {None, "(sensitive value)"}
                assert change.diff == ()


@given(st.text() | st.text(st.characters(categories=["Cc", "Cf", "Zl", "Zp", "Cs"])))
def test_no_control_or_format_character_survives(text: str) -> None:
    """By the Unicode categories, not by our own list; and what is harmless stays as it is."""
    for shown in (safe(text), safe_diff(text)):
        kinds = {unicodedata.category(character) for character in shown}
        assert not kinds & {"Cc", "Cs", "Zl", "Zp"}
        assert "\u202e" not in shown
    if text.isascii() and text.isprintable():
        assert safe(text) == text


HEX = st.text("0ab", min_size=1, max_size=4)
AGENTS = st.lists(
    st.tuples(HEX, st.none() | st.sampled_from(["a", "A", "ab", "web", "\uff37eb", "0a"])),
    unique_by=itemgetter(0),
    max_size=6,
).map(
    lambda pairs: [
        Agent(node_id, name, "h", "ip", "v", "approved", True, 0, 0, {}, {})
        for node_id, name in pairs
    ]
)


@given(AGENTS, HEX | st.sampled_from(["web", "WEB", "A", ""]))
def test_a_node_is_only_found_if_nothing_else_could_be_meant(
    agents: list[Agent], text: str
) -> None:
    """Whatever is found has that id, that name or that beginning, alone of its rank."""
    exact = [one for one in agents if one.node_id == text.lower()]
    named = [one for one in agents if one.name and fold_name(one.name) == fold_name(text)]
    begun = [one for one in agents if text and one.node_id.startswith(text.lower())]
    rank = next((found for found in (exact, named, begun) if found), [])
    try:
        found = find(agents, text)
    except ClientError:
        assert len(rank) != 1
    else:
        assert rank == [found]
