"""The kind nftables, with listings as nft prints them; nft itself is in tests/integration."""

from __future__ import annotations

import json

import pytest

from protocol.canonical import Json
from protocol.reports import CapturedStream
from state_engine.ports import PortError, ProgramCall
from state_engine.resources.contract import Context, Difference, MakeSymlink, RunScript, WriteFile
from state_engine.resources.nftables import Nftables
from state_engine.resources.parts import nft_text
from tests.fakes.network import NetworkPorts

KIND = Nftables()
SPEC: dict[str, Json] = {"table": "edge", "ruleset": "chain a { }"}
LIST = "nft -j list table inet edge"


def listing(*tables: str) -> CapturedStream:
    objects = [{"table": {"family": "inet", "name": name}} for name in tables]
    return CapturedStream(0, json.dumps({"nftables": [{"metainfo": {}}, *objects]}), "")


class FakeNft:
    """Answers the two listings: of the host, and of the scratch network."""

    def __init__(self, here: CapturedStream, there: CapturedStream) -> None:
        self.here = here
        self.there = there
        self.loaded = b""

    def run(self, call: ProgramCall) -> CapturedStream:
        if call.argv[0] == "unshare":
            self.loaded = call.stdin
            return self.there if "-j" in call.argv[-1] else CapturedStream(0, "new", "")
        return self.here if "-j" in call.argv else CapturedStream(0, "old", "")


NONE = CapturedStream(1, "", "Error: No such file or directory; did you mean ...")
MADE = listing(nft_text.CANARY, "edge")


def compared(
    here: CapturedStream, there: CapturedStream = MADE, *, context: Context | None = None
) -> tuple[Difference, FakeNft]:
    ports = NetworkPorts()
    nft = FakeNft(here, there)
    ports.programs = nft  # type: ignore[assignment]  # only `run` is ever called
    assert KIND.validate(SPEC) == []
    found = KIND.observe(SPEC, ports, verify=False)
    return KIND.compare(SPEC, found, context or Context()), nft


@pytest.mark.parametrize(
    "spec",
    [
        {"table": "edge"},
        {"table": "a b", "ruleset": ""},
        {"table": "-f", "ruleset": ""},
        {"table": "a}", "ruleset": ""},
        {"table": nft_text.CANARY, "ruleset": ""},
        {"table": "edge", "ruleset": "} flush ruleset; table inet edge {"},
    ],
)
def test_what_could_reach_beyond_its_table_is_refused(spec: dict[str, Json]) -> None:
    assert KIND.validate(spec)


def test_a_table_is_checked_loaded_and_then_kept() -> None:
    """In this order, each with the very same transaction."""
    difference, nft = compared(NONE)
    assert difference.action == "create"
    check, load, *files = KIND.steps(SPEC, difference)
    assert isinstance(check, RunScript)
    assert isinstance(load, RunScript)
    assert check.call.argv == ("nft", "-c", "-f", "-")
    assert load.call.argv == ("nft", "-f", "-")
    assert check.call.stdin == load.call.stdin == nft.loaded
    assert nft.loaded == (
        b"table inet edge\ndelete table inet edge\ntable inet edge {\nchain a { }\n}\n"
    )
    written = [each for each in files if isinstance(each, WriteFile | MakeSymlink)]
    assert [each.path for each in written] == [
        "/etc/nftables.d/standfast-inet-edge.nft",
        "/etc/systemd/system/standfast-nftables-inet-edge.service",
        "/etc/systemd/system/sysinit.target.wants/standfast-nftables-inet-edge.service",
    ]


def test_a_load_that_leaves_something_else_behind_is_refused() -> None:
    """Another table, or the canary gone: the text did more than make its own table."""
    for there in (listing(nft_text.CANARY, "edge", "theirs"), listing("edge")):
        difference, _ = compared(NONE, there)
        assert difference.action == "error"
        assert "beyond its own table" in (difference.message or "")


def test_nfts_refusal_is_told_with_what_to_do() -> None:
    words = 'x:1:1: Error: Interface does not exist\n  iif "eth9" drop\n      ^^^^'
    difference, _ = compared(NONE, CapturedStream(1, "", words))
    assert difference.action == "error"
    assert "iifname" in (difference.message or "")


def test_a_foreign_table_is_left_alone() -> None:
    """Unless it is what an earlier apply has left, or what was just made."""
    assert compared(listing("edge"))[0].action == "error"
    for context in (Context(applied=True), Context(acted=True), Context(left=SPEC)):
        difference, _ = compared(listing("edge"), context=context)
        assert [change.field for change in difference.changes] == ["at boot"]


def test_a_listing_that_cannot_be_had_is_an_error() -> None:
    denied = CapturedStream(1, "", "Error: Operation not permitted (you must be root)")
    with pytest.raises(PortError, match="not permitted"):
        compared(denied)
    with pytest.raises(PortError, match="too long"):
        compared(CapturedStream(0, "{}", "", truncated=True))


def test_the_diff_is_in_nfts_own_words() -> None:
    other = listing("edge")
    changed = other.stdout.replace('"edge"', '"edge", "flags": "dormant"')
    difference, _ = compared(CapturedStream(0, changed, ""), context=Context(applied=True))
    assert difference.changes[0].diff[-2:] == ("-old", "+new")
