"""The kind nftables on a kernel's packet filter in a network of its own."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.canonical import Json
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.engine.steps import Outcome, carry_out
from state_engine.host.linux import LinuxPorts
from state_engine.model import ResolvedResource, Snapshot
from state_engine.resources.contract import Context
from state_engine.resources.nftables import Nftables
from tests.fakes import namespaces
from tests.fakes.namespaces import inside, run
from tests.fakes.resources import resource

pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs_root,
    pytest.mark.usefixtures("_able"),
]

RULES = """
set ports { type inet_service; flags interval; elements = { 443, 22, 80-90 } }  # } a comment
set seen { type ipv4_addr; flags dynamic,timeout; timeout 1m; }
counter hits { }
chain input {
    type filter hook input priority 10; policy accept;
    iifname "lo" counter accept
    tcp dport @ports counter name hits accept
    update @seen { ip saddr limit rate 5/second }
    ip saddr { 10.0.0.9, 10.0.0.1 } log prefix "a # } b" drop
}
"""
THEIRS = "table inet theirs {\n\tchain a {\n\t\ttcp dport 1 drop\n\t}\n}\n"


@pytest.fixture
def _able() -> None:
    reason = namespaces.missing("ip", "nft")
    if reason is not None:
        pytest.skip(reason)


class Host:
    """An own packet filter, and own files below `root`."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        (self.root / "etc").mkdir(parents=True, exist_ok=True)
        self.ports = LinuxPorts(folder / "state", b"k" * 32)
        # The whole path below a test's folder stands for /etc: no other kind goes there.
        self.kind = Nftables()

    def wish(self, **spec: Json) -> ResolvedResource:
        spec = {"table": "edge", "persist": False, **spec}
        assert self.kind.validate(spec) == []
        return resource("nftables", self.kind.identity(spec, None) or "", spec)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def apply(host: Host, *wishes: ResolvedResource, after: Snapshot | None = None) -> Snapshot:
    before = Snapshot() if after is None else after
    done = apply_plan("op", "node", wishes, before, host.ports, approved=None)
    assert done.result.status == "succeeded", done.result
    return done.snapshot


def test_a_table_lives_drifts_and_goes(host: Host) -> None:
    """Its text means the same after nft has rewritten it; other tables are as they were."""
    wish = host.wish(ruleset=RULES)

    def story() -> None:
        run("ip", "link", "set", "lo", "up")
        run("nft", "-f", "-", text=THEIRS)
        held = apply(host, wish)
        assert make_plan("node", [wish], held, host.ports).summary.none == 1
        assert find_drift(held, host.ports) == ()
        # What is counted is no drift.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.sendto(b"x", ("127.0.0.1", 9))
        shown = run("nft", "list", "table", "inet", "edge")
        assert 'iifname "lo" counter packets 0' not in shown
        assert find_drift(held, host.ports) == ()

        run("nft", "insert", "rule", "inet", "edge", "input", "accept")
        (drift,) = find_drift(held, host.ports)
        assert drift.changes[0].field == "ruleset"
        assert any(line.startswith("-") and "accept" in line for line in drift.changes[0].diff)
        held = apply(host, wish, after=held)
        assert find_drift(held, host.ports) == ()

        smaller = host.wish(ruleset="chain input { type filter hook input priority 5; }")
        held = apply(host, smaller, after=held)
        assert "ports" not in run("nft", "list", "table", "inet", "edge")
        run("nft", "delete", "table", "inet", "edge")
        assert find_drift(held, host.ports) != ()
        held = apply(host, smaller, after=held)
        apply(host, after=held)
        assert run("nft", "list", "ruleset") == THEIRS

    inside(story)


def test_what_nft_refuses_is_told_in_the_plan(host: Host) -> None:
    """Before anything is done, with nft's own words; the old table goes on filtering."""
    good = host.wish(ruleset=RULES)
    bad = host.wish(ruleset="chain a {\ntcp dport sixty drop\n}")

    def story() -> None:
        held = apply(host, good)
        before = run("nft", "-s", "list", "ruleset")
        (item,) = make_plan("node", [bad], held, host.ports).resources
        assert item.action == "error"
        assert "sixty" in (item.message or "")
        result = apply_plan("op", "node", [bad], held, host.ports, approved=None).result
        assert result.status == "failed"
        assert run("nft", "-s", "list", "ruleset") == before
        by_index = host.wish(ruleset='chain a {\niif "eth9" drop\n}')
        (item,) = make_plan("node", [by_index], held, host.ports).resources
        assert "iifname" in (item.message or "")

    inside(story)


def test_a_foreign_table_is_taken_over_only_if_told(host: Host) -> None:
    """Neither replaced nor deleted otherwise; a table that was taken over stays at the end."""
    wish = host.wish(table="theirs", ruleset="chain b { }")
    absent = host.wish(table="theirs", ensure="absent")
    adopting = host.wish(table="theirs", ruleset="chain b { }", adopt=True)

    def story() -> None:
        run("nft", "-f", "-", text=THEIRS)
        for refused in (wish, absent):
            result = apply_plan("op", "node", [refused], Snapshot(), host.ports, approved=None)
            assert "adopt: true" in (result.result.resources[0].error or "")
            assert run("nft", "list", "ruleset") == THEIRS
        held = apply(host, adopting)
        assert "chain b" in run("nft", "list", "ruleset")
        apply(host, after=held)
        assert "chain b" in run("nft", "list", "ruleset")

    inside(story)


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("acted", [False, True])
def test_a_revert_brings_back_the_table(host: Host, there: bool, acted: bool) -> None:
    """What was there, or that there was none; also if the act never happened; twice is once."""
    spec: dict[str, Json] = {"table": "edge", "ruleset": "chain c { }", "persist": False}

    def story() -> None:
        run("nft", "-f", "-", text=THEIRS)
        if there:
            apply(host, host.wish(ruleset=RULES))
        before = run("nft", "-s", "list", "ruleset")
        observation = host.kind.observe(spec, host.ports, verify=True)
        back = host.kind.revert(spec, observation, {})
        if acted:
            difference = host.kind.compare(spec, observation, Context(applied=True))
            carry_out(host.kind.steps(spec, difference), host.ports, Outcome())
            assert "chain c" in run("nft", "list", "ruleset")
        for _ in range(2):
            carry_out(back, host.ports, Outcome())
            assert run("nft", "-s", "list", "ruleset") == before

    inside(story)


def test_the_file_loads_the_same_table_at_boot(host: Host) -> None:
    """Also when the table is there already; the unit follows the host's own service."""
    kind = Nftables(f"{host.root}/")
    spec: dict[str, Json] = {"table": "edge", "ruleset": RULES}

    def story() -> None:
        run("nft", "-f", "-", text=THEIRS)
        found = kind.observe(spec, host.ports, verify=True)
        difference = kind.compare(spec, found, Context())
        assert difference.action == "create"
        carry_out(kind.steps(spec, difference), host.ports, Outcome())
        again = kind.compare(spec, kind.observe(spec, host.ports, verify=True), Context())
        assert again.action == "none"
        path = host.root / "etc/nftables.d/standfast-inet-edge.nft"
        before = run("nft", "-s", "list", "ruleset")
        run("nft", "-f", str(path))
        assert run("nft", "-s", "list", "ruleset") == before
        run("nft", "flush", "ruleset")
        run("nft", "-f", str(path))
        assert kind.observe(spec, host.ports, verify=True).listed == found.wanted
        wants = host.root / "etc/systemd/system/sysinit.target.wants"
        (link,) = wants.iterdir()
        assert "PartOf=nftables.service" in link.readlink().read_text(encoding="utf-8")
        gone: dict[str, Json] = {"table": "edge", "ensure": "absent"}
        difference = kind.compare(gone, kind.observe(gone, host.ports, verify=True), Context())
        carry_out(kind.steps(gone, difference), host.ports, Outcome())
        assert not list(host.root.rglob("*standfast*"))
        assert not run("nft", "list", "ruleset")

    inside(story)


ELEMENTS = st.lists(st.integers(1, 65_535), min_size=1, max_size=4, unique=True)
VERDICTS = st.sampled_from(["accept", "drop", "counter", "return", 'log prefix "x } # "'])
TESTS = st.sampled_from(
    [
        "",
        "ip saddr 10.0.0.0/8 ",
        'iifname "e*" ',
        "ct state new ",
        "tcp dport != 9 ",
        "tcp dport @p ",
    ]
)


@st.composite
def rulesets(draw: st.DrawFn) -> str:
    ports = ", ".join(map(str, draw(ELEMENTS)))
    lines = [draw(TESTS) + draw(VERDICTS) for _ in range(draw(st.integers(0, 4)))]
    body = "\n".join(lines)
    return f"set p {{ type inet_service; elements = {{ {ports} }} }}\nchain c {{\n{body}\n}}\n"


@settings(max_examples=12)
@given(st.lists(rulesets(), min_size=1, max_size=2))
def test_a_plan_after_an_apply_is_empty_for_every_ruleset(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    """From no table and from any other one."""
    host = Host(tmp_path_factory.mktemp("nft"))

    def story() -> None:
        held = Snapshot()
        for text in texts:
            wish = host.wish(ruleset=text)
            held = apply(host, wish, after=held)
            assert make_plan("node", [wish], held, host.ports).summary.none == 1

    inside(story)
