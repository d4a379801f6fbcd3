"""What holds for units of systemd from every starting state, against a systemd in memory."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from protocol.canonical import Json
from protocol.reports import ApplyResult
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.model import ResolvedResource, ResolvedTrigger, Snapshot
from state_engine.resources.parts import systemd_text
from state_engine.resources.parts.service_unit_file import ServiceSystemdSpec, render
from state_engine.resources.service_systemd import ServiceSystemd
from tests.fakes.ports import Node
from tests.fakes.resources import a_file, resource
from tests.fakes.systemd import ETC, VENDOR, SystemdPorts

KIND = ServiceSystemd()
UNIT = "web.service"
VENDOR_UNIT = "[Service]\nExecStart=/usr/bin/vendor\n[Install]\nWantedBy=multi-user.target\n"
STATIC_UNIT = "[Service]\nExecStart=/usr/bin/vendor\nExecReload=/bin/true\n"
OTHER_UNIT = "[Unit]\nDescription=by hand\n[Service]\nExecStart=/usr/bin/other\nNice=5\n"
MAYBE = st.sampled_from([None, True, False])


@st.composite
def hosts(draw: st.DrawFn) -> SystemdPorts:
    """A host on which anything may have been done with the unit before."""
    ports = SystemdPorts()
    systemd, files = ports.systemd, ports.files
    vendor = draw(st.sampled_from([None, VENDOR_UNIT, STATIC_UNIT]))
    if vendor is not None:
        files.put(f"{VENDOR}/{UNIT}", Node("file", 0o644, 0, 0, vendor.encode()))
    if draw(st.booleans()):
        mode = draw(st.sampled_from([0o644, 0o600]))
        files.put(f"{ETC}/{UNIT}", Node("file", mode, 0, 0, OTHER_UNIT.encode()))
    if draw(st.booleans()):
        folder = f"{ETC}/multi-user.target.wants"
        files.put(folder, Node("directory", 0o755, 0, 0))
        files.put(f"{folder}/{UNIT}", Node("symlink", 0o777, 0, 0, b"x"))
    unit = systemd.unit(UNIT)
    unit.active = draw(st.sampled_from(["inactive", "active", "failed"]))
    if draw(st.booleans()) and unit.loaded:
        unit.loaded += "# before an edit\n"
    if f"{ETC}/{UNIT}" not in files.nodes and draw(st.booleans()):
        files.put(f"{ETC}/{UNIT}", Node("symlink", 0o777, 0, 0, b"/dev/null"))
        unit.loaded = systemd.text(UNIT)
    return ports


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Json]:
    """Any wish that is valid."""
    wishes: dict[str, Json] = {"name": "web"}
    if draw(st.integers(0, 5)) == 0:
        return {**wishes, "ensure": "absent"}
    for field in ("enabled", "running", "masked"):
        value = draw(MAYBE)
        if value is not None:
            wishes[field] = value
    if draw(st.booleans()):
        wishes["exec_start"] = draw(st.sampled_from(["/usr/bin/web", "/usr/bin/web --two"]))
        wishes["type"] = draw(st.sampled_from(["simple", "oneshot"]))
        wishes["environment"] = {"B": "2", "A": draw(st.sampled_from(["1", "50%"]))}
        if draw(st.booleans()):
            wishes["exec_reload"] = "/bin/kill -HUP $MAINPID"
    return {"name": "web"} if KIND.validate(wishes) else wishes


@dataclass
class Story:
    """A host, a file and a service that may react to it."""

    ports: SystemdPorts
    resources: list[ResolvedResource]

    def __repr__(self) -> str:
        """Say all of it: a failing example is read, not guessed."""
        tree = {path: node for path, node in self.ports.tree().items() if UNIT in path}
        return f"{[item.spec for item in self.resources]} on {tree} {self.ports.systemd.units}"

    def apply(self, snapshot: Snapshot, *, approved: bool = False) -> tuple[ApplyResult, Snapshot]:
        digests = None
        if approved:
            plan = make_plan("node", self.resources, snapshot, self.ports)
            digests = frozenset(item.digest for item in plan.resources if item.digest)
        outcome = apply_plan(
            "op", "node", self.resources, snapshot, self.ports, approved=digests
        )  # fmt: skip
        return outcome.result, outcome.snapshot


@st.composite
def stories(draw: st.DrawFn) -> Story:
    config = a_file("/etc/web.conf", draw(st.sampled_from(["a\n", "b\n"])), id="config")
    ports = draw(hosts())
    if draw(st.booleans()):
        ports.files.put("/etc/web.conf", Node("file", 0o644, 0, 0, b"a\n"))
    spec = draw(specs())
    if "exec_start" in spec and draw(st.booleans()):
        # Our own unit, as an earlier apply left it, or as it did before systemd was told.
        ours = render(msgspec.convert(spec, ServiceSystemdSpec))
        ports.files.put(f"{ETC}/{UNIT}", Node("file", 0o644, 0, 0, ours.encode()))
        ports.systemd.unit(UNIT).loaded = draw(st.sampled_from([ours, OTHER_UNIT]))
    kind = draw(st.sampled_from(["reload", "restart", None]))
    service = resource("service-systemd", "web", spec, id="web", depends_on=(config,))
    reacting = {**spec, f"{kind}_on": ["config"]}
    if kind is not None and not KIND.validate(reacting):
        service = replace(
            service, spec=reacting, triggers=(ResolvedTrigger(kind, (config.key,)),)
        )  # fmt: skip
    return Story(ports, [config, service])


@given(stories())
def test_a_plan_changes_nothing(story: Story) -> None:
    """Same files, same states, no verb but questions."""
    before = story.ports.tree()
    first = make_plan("node", story.resources, Snapshot(), story.ports)
    second = make_plan("node", story.resources, Snapshot(), story.ports)
    assert first == second
    assert story.ports.tree() == before
    assert story.ports.systemd.calls == []


@given(stories(), st.booleans())
def test_a_plan_after_an_apply_is_empty_and_the_unit_is_as_wished(
    story: Story, approved: bool
) -> None:
    """Whatever was there: the apply does it all, and the plan that was approved covers it."""
    plan = make_plan("node", story.resources, Snapshot(), story.ports)
    if plan.summary.error:
        # Refused with its reason: then nothing of the service is touched.
        story.apply(Snapshot(), approved=approved)
        assert story.ports.systemd.calls == []
        return
    item = plan.resources[1]
    outdated = any(change.field == "loaded" for change in item.changes)
    unmasked = any(change.field == "masked" for change in item.changes)
    changed = plan.resources[0].action != "none"
    ran = story.ports.systemd.unit(UNIT).active == "active"
    starts = story.ports.systemd.unit(UNIT).starts
    result, snapshot = story.apply(Snapshot(), approved=approved)
    systemd = story.ports.systemd
    spec = story.resources[1].spec
    if not systemd.unit(UNIT).loaded and not spec.get("masked") and result.status == "failed":
        # There is no unit to adopt, and nothing brings one: said in the plan, failed in the apply.
        assert "there is no such unit" in (item.message or "")
        return
    said = result.resources[1].error or ""
    if (outdated or unmasked) and ("reload is not applicable" in said or "no [Install]" in said):
        return  # what the unit on disk, or behind its mask, lacks could not be known before
    assert result.status == "succeeded", result
    again = make_plan("node", story.resources, snapshot, story.ports)
    assert [found.action for found in again.resources] == ["none", "none"], again
    assert find_drift(snapshot, story.ports) == ()
    assert_as_wished(story.ports, spec)
    unit = systemd.unit(UNIT)
    if changed and ran and spec.get("running") is True:
        assert not spec.get("restart_on") or unit.starts > starts
        assert not spec.get("reload_on") or unit.reloads + unit.starts > 0


def assert_as_wished(ports: SystemdPorts, spec: dict[str, Json]) -> None:
    systemd = ports.systemd
    unit = systemd.unit(UNIT)
    if spec.get("ensure") == "absent":
        assert (systemd.text(UNIT), unit.active == "active") == (None, False)
        return
    if "running" in spec:
        assert (unit.active == "active") == spec["running"]
    if "enabled" in spec:
        assert (systemd.enablement(UNIT) == "enabled") == spec["enabled"]
    if "masked" in spec:
        assert systemd.masked(UNIT) == spec["masked"]
    if "exec_start" in spec:
        assert unit.loaded == systemd.text(UNIT)
        written = systemd_text.parse(unit.loaded or "")
        assert written["Service", "ExecStart"] == (spec["exec_start"],)
        assert written["Service", "Environment"][0].startswith('"A=')
        node = ports.files.nodes[f"{ETC}/{UNIT}"]
        assert (node.mode, node.uid) == (0o644, 0)
        if spec.get("running"):
            # What runs is what is described, never a process that the old unit started.
            assert unit.runs is None or unit.runs == unit.loaded


@given(stories())
def test_a_failed_start_is_a_failure_with_the_last_words(story: Story) -> None:
    """The error quotes the log, and the next apply tries it again."""
    story.ports.systemd.broken = {"/usr/bin/web", "/usr/bin/web --two", "/usr/bin/vendor"}
    plan = make_plan("node", story.resources, Snapshot(), story.ports)
    spec = story.resources[1].spec
    starts = any(change.field == "running" for change in plan.resources[1].changes)
    if plan.summary.error or not (starts and spec.get("running")) or not plan.resources[1].digest:
        return
    if not (spec.get("exec_start") or story.ports.systemd.text(UNIT)):
        return
    result, snapshot = story.apply(Snapshot())
    service = result.resources[1]
    if f"{ETC}/{UNIT}" in story.ports.files.nodes and not spec.get("exec_start"):
        return  # the unit by hand is not broken
    assert (service.status, result.status) == ("failed", "failed")
    assert "last line" in (service.error or "")
    if story.resources[1].triggers and plan.resources[0].action != "none":
        assert snapshot.pending == (story.resources[1].key,)
    story.ports.systemd.broken = set()
    result, snapshot = story.apply(snapshot)
    assert (result.status, snapshot.pending) == ("succeeded", ())


@given(stories())
def test_removal_gives_back_what_was_there(story: Story) -> None:
    """A unit that we made goes; one that we overwrote comes back; an adopted one stays."""
    before = {
        path: node.content
        for path, node in story.ports.files.nodes.items()
        if path.endswith(UNIT) and node.kind == "file"
    }
    spec = story.resources[1].spec
    if spec.get("ensure") == "absent":
        return
    result, snapshot = story.apply(Snapshot())
    if result.status != "succeeded":
        return
    wrote = "exec_start" in spec
    story.resources = []
    result, snapshot = story.apply(snapshot)
    assert (result.status, snapshot.applied) == ("succeeded", ())
    after = {
        path: node.content
        for path, node in story.ports.files.nodes.items()
        if path.endswith(UNIT) and node.kind == "file"
    }
    assert after == before
    unit = story.ports.systemd.unit(UNIT)
    if wrote and not before:
        assert (unit.active, story.ports.systemd.enablement(UNIT)) == ("inactive", "")


@st.composite
def timers(draw: st.DrawFn) -> Story:
    ports = SystemdPorts()
    path = f"{ETC}/web.timer"
    old = "[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n"
    if draw(st.booleans()):
        mode = draw(st.sampled_from([0o644, 0o666]))
        ports.files.put(path, Node("file", mode, 0, 0, old.encode()))
        unit = ports.systemd.unit("web.timer")
        unit.active = draw(st.sampled_from(["inactive", "active", "failed"]))
        if draw(st.booleans()):
            unit.loaded = old + "# before an edit\n"
    if draw(st.booleans()):
        link = f"{ETC}/timers.target.wants/web.timer"
        ports.files.put(link, Node("symlink", 0o777, 0, 0, b"x"))
    spec: dict[str, Json] = {"name": "web"}
    if draw(st.integers(0, 4)) == 0:
        spec["ensure"] = "absent"
    else:
        spec["on_calendar"] = draw(st.sampled_from([["daily"], ["*-*-* 03:00:00", "hourly"]]))
        wishes = {"enabled": draw(MAYBE), "running": draw(MAYBE), "persistent": draw(MAYBE)}
        spec |= {field: value for field, value in wishes.items() if value is not None}
    return Story(ports, [resource("timer-systemd", "web", spec)])


@given(timers(), st.booleans())
def test_a_timer_is_as_wished_after_one_apply(story: Story, approved: bool) -> None:
    """From any state: one apply, then nothing; and its removal gives back what was there."""
    path, ports = f"{ETC}/web.timer", story.ports
    before = ports.files.nodes.get(path)
    tree = ports.tree()
    make_plan("node", story.resources, Snapshot(), ports)
    assert (ports.tree(), ports.systemd.calls) == (tree, [])
    result, snapshot = story.apply(Snapshot(), approved=approved)
    assert result.status == "succeeded", result
    assert make_plan("node", story.resources, snapshot, ports).summary.none == 1
    spec, unit = story.resources[0].spec, ports.systemd.unit("web.timer")
    assert unit.loaded == ports.systemd.text("web.timer")
    if "running" in spec:
        assert (unit.active == "active") == spec["running"]
    if spec.get("running"):
        assert unit.runs in {None, unit.loaded}
    if "enabled" in spec:
        assert (ports.systemd.enablement("web.timer") == "enabled") == spec["enabled"]
    story.resources = []
    result, _ = story.apply(snapshot)
    assert result.status == "succeeded", result
    after = ports.files.nodes.get(path)
    if spec.get("ensure") == "absent":
        assert after is None
    else:
        assert (after and after.content) == (before and before.content)


# --- quoting: an independent reading of what systemd makes of a line ------------------------------

WORDS = st.one_of(
    st.text(st.sampled_from(list("aZ0 %$\\\"'=;#{}é€-/~!@|<>&`*?")), max_size=12),
    st.text(max_size=3),
)


def words_of(line: str) -> list[str]:
    """Split as systemd.syntax(7) says: white space, double quotes, backslash escapes."""
    found: list[str] = []
    rest = line
    while rest:
        match = re.match(r'"((?:[^"\\]|\\.)*)"(?: |$)|([^" \\]+)(?: |$)', rest)
        assert match is not None, rest
        quoted, plain = match.groups()
        found.append(plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        rest = rest[match.end() :]
    return [word.replace("%%", "%") for word in found]


@given(st.lists(WORDS, max_size=4), st.dictionaries(st.sampled_from(["A", "B", "C"]), WORDS))
def test_every_value_is_either_refused_or_read_back_as_it_is(
    words: list[str], environment: dict[str, str]
) -> None:
    """A control character is refused; everything else means itself, and is one line."""
    spec: dict[str, Json] = {
        "name": "web",
        "exec_start": ["/usr/bin/web", *words],
        "environment": dict(environment),
    }
    hostile = re.compile(r"[\x00-\x1f\x7f-\x9f]")
    refused = any(hostile.search(value) for value in (*words, *environment.values()))
    assert bool(KIND.validate(spec)) == refused
    if refused:
        return
    ports = SystemdPorts()
    story = Story(ports, [resource("service-systemd", "web", spec)])
    result, _ = story.apply(Snapshot())
    assert result.status == "succeeded", result
    text = ports.files.nodes[f"{ETC}/{UNIT}"].content.decode()
    (command,) = (line for line in text.split("\n") if line.startswith("ExecStart="))
    read = words_of(command.removeprefix("ExecStart="))
    assert [word.replace("$$", "$") for word in read] == ["/usr/bin/web", *words]
    assert all("$" not in word.replace("$$", "") for word in read)
    lines = [line for line in text.split("\n") if line.startswith("Environment=")]
    variables = [words_of(line.removeprefix("Environment="))[0] for line in lines]
    assert variables == [f"{name}={environment[name]}" for name in sorted(environment)]


@given(st.text(max_size=12) | WORDS)
def test_a_description_is_refused_or_stands_on_its_line(value: str) -> None:
    """No description can add a setting, continue a line or be expanded."""
    spec: dict[str, Json] = {"name": "web", "exec_start": "/bin/true", "description": value}
    if KIND.validate(spec):
        return
    ports = SystemdPorts()
    Story(ports, [resource("service-systemd", "web", spec)]).apply(Snapshot())
    text = ports.files.nodes[f"{ETC}/{UNIT}"].content.decode()
    parsed = systemd_text.parse(text)
    assert parsed.get(("Unit", "Description"), ("",))[0].replace("%%", "%") == value
    assert parsed["Service", "ExecStart"] == ("/bin/true",)
    assert [section for section, _ in parsed] == [s for s, _ in parsed if s != "Evil"]
