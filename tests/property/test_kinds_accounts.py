"""Groups, users, keys, sudo rules and cron jobs: what holds on every host before us."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from protocol.canonical import Json
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.engine.progress import ApplyOutcome
from state_engine.model import ResolvedResource, Snapshot
from state_engine.resources.parts import cron_lines, ssh_keys
from state_engine.resources.parts.cron_lines import Job
from state_engine.resources.registry import KINDS
from tests.fakes.keys import public_key
from tests.fakes.ports import Node
from tests.fakes.resources import resource
from tests.fakes.shadow import ShadowPorts

NAMES = ("app", "web", "bob")
THEIRS = "anna:x:1500:1500:Anna, of the desk:/home/anna:/bin/zsh\n"
THEIR_GROUPS = "anna:x:1500:\nstaff:x:50:anna\nolder:x:51:\n"
LISTS: list[Json] = [None, [], ["restrict"], ["no-pty", 'from="10.0.0.0/8,::1"']]
OPTIONS = st.sampled_from(LISTS)
VARIABLES: list[Json] = [None, {"MAILTO": "", "B": 'a"b'}]
COMMENTS = st.sampled_from([None, "", "the app", "Ünal, of the desk"])
TEXTS = st.sampled_from(["", "# theirs\n", "someone ALL=(ALL) ALL\n", "no newline"])


@dataclass
class Host:
    """A host in memory, what is desired on it, and what stood in its files before us."""

    ports: ShadowPorts
    resources: list[ResolvedResource]

    def want(
        self, kind: str, depends_on: tuple[ResolvedResource, ...] = (), **spec: Json
    ) -> ResolvedResource:
        values: dict[str, Json] = {name: value for name, value in spec.items() if value is not None}
        assert KINDS[kind].validate(values) == []
        identity = KINDS[kind].identity(values, None)
        assert identity is not None
        made = resource(kind, identity, values, depends_on=depends_on)
        self.resources.append(made)
        return made

    def apply(self, snapshot: Snapshot, approved: frozenset[str] | None = None) -> ApplyOutcome:
        return apply_plan("op", "n", self.resources, snapshot, self.ports, approved=approved)


@st.composite
def hosts(draw: st.DrawFn, *, moving: bool = True) -> Host:
    """Some of the users and groups are there in some form, each with a home and keys or without.

    `moving`: a user who is there may get another home.
    """
    passwd, group = THEIRS, THEIR_GROUPS
    for number, name in enumerate(NAMES):
        if draw(st.booleans()):
            group += f"{name}:x:{2000 + number}:{draw(st.sampled_from(['', 'anna', 'bob,anna']))}\n"
        if draw(st.booleans()):
            passwd += f"{name}:x:{2000 + number}:50:old:/home/{name}:/bin/false\n"
    ports = ShadowPorts(passwd, group)
    host = Host(ports, [])
    groups = [
        host.want("group-unix", name=name, gid=draw(st.sampled_from([None, 3000 + number])))
        for number, name in enumerate(NAMES)
        if draw(st.booleans())
    ]
    if draw(st.booleans()):
        host.want("group-unix", name="older", ensure="absent")
    for number, name in enumerate(NAMES):
        draw_user(draw, host, number, name, groups, moving=moving)
    draw_files(draw, host)
    return host


def draw_user(
    draw: st.DrawFn,
    host: Host,
    number: int,
    name: str,
    groups: list[ResolvedResource],
    *,
    moving: bool,
) -> None:
    ports = host.ports
    there = f"\n{name}:" in ports.text("/etc/passwd")
    if there and draw(st.integers(0, 4)):
        ports.files.put(f"/home/{name}", Node("directory", 0o755, 2000 + number, 50))
        draw_keys_file(draw, ports, number, name)
    if draw(st.integers(0, 4)) == 0:
        host.want("user-unix", name=name, ensure="absent")
        return
    names: list[Json] = [group.identity for group in groups]
    moved = [f"/home/{name}-new"] if moving or not there else []
    listed: list[Json] = [None, [], ["staff"], names]
    user = host.want(
        "user-unix",
        tuple(groups),
        name=name,
        uid=draw(st.sampled_from([None, 3000 + number])),
        primary_group=draw(st.sampled_from([None, "50", "staff", *map(str, names)])),
        additional_groups=draw(st.sampled_from(listed)),
        home=draw(st.sampled_from([None, f"/home/{name}", *moved])),
        shell=draw(st.sampled_from([None, "/bin/sh"])),
        comment=draw(COMMENTS),
        create_home=True,
    )
    for key in range(draw(st.integers(0, 2))):
        host.want(
            "authorized-key",
            (user,),
            user=name,
            key=public_key(key, draw(st.sampled_from(["", "anna@desk"]))),
            options=draw(OPTIONS),
            comment=draw(st.sampled_from([None, "", "a comment"])),
        )
    if draw(st.booleans()):
        key_line = public_key(9)
        host.want("authorized-key", (user,), user=name, key=key_line, ensure="absent")


def draw_keys_file(draw: st.DrawFn, ports: ShadowPorts, number: int, name: str) -> None:
    uid = 2000 + number
    if draw(st.integers(0, 4)) == 0:
        return
    mode = draw(st.sampled_from([0o700, 0o755, 0o775]))
    ports.files.put(f"/home/{name}/.ssh", Node("directory", mode, uid, 50))
    lines = draw(
        st.lists(
            st.sampled_from(
                [
                    b"# a comment",
                    b"",
                    b"not a key \xff",
                    public_key(0, "old").encode(),
                    b'command="echo \\"a, b\\"",no-pty ' + public_key(0).encode(),
                    public_key(7, "theirs").encode(),
                    public_key(9, "leaves").encode() + b"\r",
                ]
            ),
            min_size=3,
            max_size=6,
        )
    )
    content = b"\n".join(lines) + draw(st.sampled_from([b"", b"\n"]))
    mode = draw(st.sampled_from([0o600, 0o644, 0o664]))
    ports.files.put(f"/home/{name}/.ssh/authorized_keys", Node("file", mode, uid, 50, content))


def draw_files(draw: st.DrawFn, host: Host) -> None:
    for path in ("/etc/sudoers.d/a", "/etc/cron.d/a"):
        if draw(st.booleans()):
            node = Node("file", draw(st.sampled_from([0o440, 0o644, 0o666])), 1000, 0)
            node.content = draw(TEXTS).encode()
            host.ports.files.put(path, node)
    if draw(st.integers(0, 4)) == 0:
        host.want("sudoers", name="a", ensure="absent")
    elif draw(st.booleans()):
        host.want("sudoers", name="a", content="someone ALL=(ALL) ALL\n")
    else:
        commands: list[Json] = ["/bin/true", "/bin/echo a=b,c"]
        host.want("sudoers", name="a", who="%staff", commands=commands, no_password=True)
    if draw(st.integers(0, 4)) == 0:
        host.want("cron", name="a", ensure="absent")
        return
    host.want(
        "cron",
        name="a",
        schedule=draw(st.sampled_from(["@daily", "*/5 0-6 1,15 jan-mar mon"])),
        user="app",
        command="date +%F",
        environment=draw(st.sampled_from(VARIABLES)),
    )


def failures(outcome: ApplyOutcome) -> list[str]:
    """Return what went wrong, in words."""
    results = outcome.result.resources
    bad = {"failed", "stale", "skipped"}
    return [f"{one.identity}: {one.status}: {one.error}" for one in results if one.status in bad]


def rows(ports: ShadowPorts, name: str) -> dict[str, str]:
    lines = ports.text(f"/etc/{name}").splitlines()
    return {line.partition(":")[0]: line for line in lines}


def keys_of(ports: ShadowPorts) -> dict[str, bytes]:
    return {
        path: node.content
        for path, node in ports.files.nodes.items()
        if path.endswith("authorized_keys")
    }


def others(content: bytes) -> list[bytes]:
    """Return the lines of a file of keys that no resource of these tests speaks of."""
    named = [public_key(number).encode() for number in (0, 1, 9)]
    lines = [line for line in content.split(b"\n") if line]
    return [line for line in lines if not any(key in line for key in named)]


@given(hosts())
def test_a_plan_after_an_apply_is_empty(host: Host) -> None:
    """Whatever stood there before: the apply succeeds, and then nothing is left to do."""
    outcome = host.apply(Snapshot())
    assert failures(outcome) == []
    plan = make_plan("n", host.resources, outcome.snapshot, host.ports)
    assert plan.summary.none == len(host.resources), plan
    assert find_drift(outcome.snapshot, host.ports) == ()


@given(hosts(moving=False))
def test_a_plan_changes_nothing_and_its_approval_covers_the_apply(host: Host) -> None:
    """Items that touch the same file or user do not make each other stale.

    (All but a new home: the keys in it are others than those that were seen.)
    """
    before = host.ports.tree()
    plan = make_plan("n", host.resources, Snapshot(), host.ports)
    assert host.ports.tree() == before
    assert make_plan("n", host.resources, Snapshot(), host.ports) == plan
    approved = frozenset(item.digest for item in plan.resources if item.digest)
    outcome = host.apply(Snapshot(), approved)
    assert failures(outcome) == []


@given(hosts())
def test_only_what_is_named_changes(host: Host) -> None:
    """Other users, their groups and every other line of a file of keys stay as they were."""
    users, keys = rows(host.ports, "passwd"), keys_of(host.ports)
    host.apply(Snapshot())
    for name in ("root", "anna"):
        assert rows(host.ports, "passwd")[name] == users[name]
    assert "anna" in rows(host.ports, "group")["staff"]
    for path, content in keys.items():
        assert others(host.ports.files.nodes[path].content) == others(content)


@given(hosts())
def test_what_admits_somebody_is_closed_to_others(host: Host) -> None:
    """Files of keys and their directories are their user's; sudo rules are root's and read-only."""
    host.apply(Snapshot())
    for wanted in host.resources:
        if wanted.kind == "authorized-key" and "ensure" not in wanted.spec:
            row = rows(host.ports, "passwd")[str(wanted.spec["user"])].split(":")
            for path in (f"{row[5]}/.ssh", f"{row[5]}/.ssh/authorized_keys"):
                node = host.ports.files.nodes[path]
                assert node.uid == int(row[2])
                assert not node.mode & 0o022
    rule = host.ports.files.nodes.get("/etc/sudoers.d/a")
    assert rule is None or (rule.mode, rule.uid, rule.gid) == (0o440, 0, 0)


@given(hosts())
def test_removal_keeps_people_and_takes_out_what_we_added(host: Host) -> None:
    """Users, groups and homes stay; keys, rules and jobs that we brought go, old ones come back."""
    before, keys = host.ports.tree(), keys_of(host.ports)
    wanted = host.resources
    snapshot = host.apply(Snapshot()).snapshot
    passwd, group = host.ports.text("/etc/passwd"), host.ports.text("/etc/group")
    homes = {path for path in host.ports.files.nodes if path.startswith("/home/")}
    host.resources = []
    outcome = host.apply(snapshot)
    assert failures(outcome) == []
    assert (host.ports.text("/etc/passwd"), host.ports.text("/etc/group")) == (passwd, group)
    assert homes <= set(host.ports.files.nodes)
    for kind, path in (("sudoers", "/etc/sudoers.d/a"), ("cron", "/etc/cron.d/a")):
        if not any(item.kind == kind and "ensure" in item.spec for item in wanted):
            assert host.ports.tree().get(path) == before.get(path)
    for path, content in keys_of(host.ports).items():
        assert others(content) == others(keys.get(path, b""))
        for number in (0, 1):
            key = public_key(number).encode()
            assert (key in content) == (key in keys.get(path, b""))


FIELD = st.sampled_from(["*", "*/7", "1", "1-5", "1-5/2", "2,4", "jan", "sun", "0", "99", "", "x"])


@given(st.lists(FIELD, min_size=4, max_size=6), st.text(max_size=20), st.text(max_size=20))
def test_a_job_that_is_accepted_is_read_back_as_it_was_written(
    fields: list[str], command: str, value: str
) -> None:
    """Nothing that passes the checks can become another line, another user or another variable."""
    schedule = " ".join(fields)
    if cron_lines.schedule_problem(schedule) is not None:
        return
    if cron_lines.command_problem(command) or cron_lines.environment_problem("V", value):
        return
    job = Job(schedule, "app", command, {"V": value})
    assert cron_lines.parse(cron_lines.render(job, "head")) == job


@given(st.lists(st.text(max_size=12), max_size=3), st.text(max_size=20))
def test_a_key_line_that_is_accepted_is_read_back_as_it_was_written(
    values: list[str], comment: str
) -> None:
    """No option and no comment can become another option, another key or another line."""
    options = tuple(f'command="{value}"' for value in values)
    if any(map(ssh_keys.option_problem, options)) or ssh_keys.comment_problem(comment):
        return
    key = ssh_keys.parse_key(public_key(1))
    assert not isinstance(key, str)
    entry = ssh_keys.Entry(options, key[0], comment)
    assert ssh_keys.parse_line(entry.line()) == entry
    assert "\n" not in entry.line()


@given(st.binary(max_size=200))
def test_account_files_of_any_bytes_are_read(data: bytes) -> None:
    """A damaged /etc/passwd is no reason to fall over: lines that are none name nobody."""
    ports = ShadowPorts()
    ports.files.put("/etc/passwd", Node("file", 0o644, 0, 0, data))
    observed = KINDS["user-unix"].observe({"name": "app", "uid": 1}, ports, verify=False)
    assert observed is not None
    assert (
        KINDS["authorized-key"].observe(
            {"user": "nobody-at-all", "key": public_key(1)}, ports, verify=False
        )
        is not None
    )
