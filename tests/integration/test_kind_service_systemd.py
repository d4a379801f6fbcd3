"""The kind `service-systemd` on a real systemd: a booted minimal Debian, driven from inside."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from protocol.canonical import Json
from tests.fakes.booted import Booted, Host, booted, missing

pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs_root,
    # A cold cache makes the root file system first: 15 s to a minute of downloads.
    pytest.mark.timeout(300),
]

# Nothing in it may be expanded, split or dropped on its way through systemd.
HOSTILE = (
    "two words", "", '"quoted"', "it's", "%i 100%", "$HOME ${HOME} $$", "back\\slash\\",
    "\\n \\x41", ";", "é€", "#no comment", "a=b", "-dash", "@at", "*", "~", "{}",
)  # fmt: skip


@pytest.fixture(scope="module")
def system() -> Generator[Booted, None, None]:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with booted() as running:
        yield running


def service(name: str, **fields: Json) -> dict[str, Json]:
    rest: dict[str, Json] = {}
    if "depends_on" in fields:
        rest["depends_on"] = fields.pop("depends_on")
    return {"id": name, **rest, "resource": {"service-systemd": {"name": name, **fields}}}


def file(path: str, content: str) -> dict[str, Json]:
    name = path.rpartition("/")[2].partition(".")[0]
    return {"id": name, "resource": {"file-unix": {"path": path, "content": content}}}


def mounts() -> str:
    return Path("/proc/mounts").read_text(encoding="utf-8")


SLEEP = ["/bin/sleep", "infinity"]


def test_a_written_service_runs_is_repaired_and_goes(system: Booted) -> None:
    """Create, nothing to do, change, drift of every sort, removal: as systemd itself sees it."""
    host = Host(system, "life")
    wish: dict[str, Json] = {"exec_start": SLEEP, "enabled": True, "running": True}
    host.module(service("life", **wish))
    assert host.apply() == {"life": "changed"}
    assert host.shown("life", "ActiveState") == "active"
    assert system.run("systemctl", "is-enabled", "life").stdout == "enabled\n"
    assert host.apply() == {"life": "unchanged"}

    before = host.shown("life", "MainPID")
    host.module(service("life", **wish, environment={"A": "1"}))
    assert host.apply() == {"life": "changed"}
    assert host.shown("life", "MainPID") != before, "what runs is not what is described"
    assert host.shown("life", "Environment") == "A=1"

    signs = "/run/systemd/units/invocation:life.service"
    assert system.run("test", "-L", signs).returncode == 0
    system.run("systemctl", "stop", "life")
    assert system.run("test", "-L", signs).returncode == 1, "the watched sign stays"
    system.run("rm", "/etc/systemd/system/multi-user.target.wants/life.service")
    assert host.drifted() == {"life": ["enabled", "running"]}
    system.run("sh", "-c", "echo 'Nice=5' >> /etc/systemd/system/life.service")
    assert host.drifted() == {"life": ["unit", "enabled", "running"]}
    assert host.apply() == {"life": "changed"}
    assert host.drifted() == {}

    host.module(file("/etc/other", "x\n"))
    assert host.apply()["life"] == "removed"
    assert host.shown("life", "LoadState") == "not-found"
    assert host.shown("life", "ActiveState") == "inactive"
    assert system.run("test", "-e", "/etc/systemd/system/life.service").returncode == 1


def test_every_value_reaches_the_program_as_it_was_written(system: Booted) -> None:
    """Arguments, variables, directory and description, through systemd's own parser."""
    host = Host(system, "words")
    body = 'printf "%s\\0" "$PWD" "$@" > /run/words.args; env -0 > /run/words.env'
    variables = {f"V{number}": value for number, value in enumerate(HOSTILE)}
    system.run("mkdir", "-p", "/srv/a b%i $HOME")
    host.module(
        service(
            "words",
            type="oneshot",
            description='50% "done" $HOME \\ it\'s',
            exec_start=["/bin/sh", "-c", body, "sh", *HOSTILE],
            environment=dict(variables),
            working_directory="/srv/a b%i $HOME",
            user="daemon",
            dependencies=["basic.target"],
            running=True,
        )
    )
    system.run("install", "-m", "666", "/dev/null", "/run/words.args")
    system.run("install", "-m", "666", "/dev/null", "/run/words.env")
    assert host.apply() == {"words": "changed"}
    arguments = system.run("cat", "/run/words.args").stdout.split("\0")[:-1]
    assert arguments == ["/srv/a b%i $HOME", *HOSTILE]
    environment = system.run("cat", "/run/words.env").stdout.split("\0")
    assert {line for line in environment if line.startswith("V")} == {
        f"{name}={value}" for name, value in variables.items()
    }
    assert host.shown("words", "Description") == '50% "done" $HOME \\ it\'s'
    assert "basic.target" in host.shown("words", "Requires")
    assert host.apply() == {"words": "unchanged"}, "a oneshot that has run is as desired"


def test_the_published_site_example_on_an_adopted_unit(system: Booted) -> None:
    """Enabled and running though it never was; the reload comes with a change, and only then."""
    reload = "ExecReload=/bin/sh -c 'echo reloaded >> /run/site.log'"
    system.write(
        "/usr/lib/systemd/system/site.service",
        f"[Service]\nExecStart=/bin/sleep infinity\n{reload}\n"
        "[Install]\nWantedBy=multi-user.target\n",
    )
    host = Host(system, "site")
    directory = {"id": "root", "resource": {"directory-unix": {"path": "/srv/site"}}}

    def desired(port: int) -> None:
        page = {**file("/srv/site/page.html", "<h1>Hello</h1>\n"), "depends_on": ["root"]}
        wish: dict[str, Json] = {"enabled": True, "running": True, "reload_on": ["conf"]}
        config = file("/etc/conf.site", f"listen {port}\n")
        host.module(directory, page, config, service("site", **wish, depends_on=["page", "conf"]))

    def reloads() -> int:
        return system.run("cat", "/run/site.log").stdout.count("reloaded")

    desired(80)
    assert set(host.apply().values()) == {"changed"}
    assert host.shown("site", "ActiveState") == "active"
    assert system.run("systemctl", "is-enabled", "site").stdout == "enabled\n"
    assert (set(host.apply().values()), reloads()) == ({"unchanged"}, 0)
    process = host.shown("site", "MainPID")
    desired(81)
    assert host.apply()["site"] == "changed"
    assert (reloads(), host.shown("site", "MainPID")) == (1, process)
    assert (host.apply()["site"], reloads()) == ("unchanged", 1)
    host.module(directory)
    assert host.apply()["site"] == "unchanged"
    assert host.shown("site", "ActiveState") == "active", "an adopted unit is not ours to stop"


def test_a_failed_start_says_why_and_its_trigger_waits(system: Booted) -> None:
    """The last log lines are in the error, for a start that fails and for one that dies at once."""
    host = Host(system, "broken")
    script = "test -e /run/repaired && exec sleep infinity; echo the port is taken >&2; exit 7"
    wish: dict[str, Json] = {
        "exec_start": ["/bin/sh", "-c", script], "running": True, "restart_on": ["broken-conf"],
    }  # fmt: skip
    config = {**file("/etc/broken.conf", "a\n"), "id": "broken-conf"}
    host.module(config, service("broken", **wish, type="notify"))
    found = host.apply(expect="failed")
    assert "the port is taken" in found["broken"]
    host.module(config, service("broken", **wish))
    assert "the port is taken" in host.apply(expect="failed")["broken"]
    system.run("touch", "/run/repaired")
    assert host.apply() == {"/etc/broken.conf": "unchanged", "broken": "changed"}
    assert host.shown("broken", "ActiveState") == "active"
    assert set(host.apply().values()) == {"unchanged"}
    missing_program = service("gone", exec_start="/usr/bin/no-such-program", running=True)
    host.module(config, service("broken", **wish), missing_program)
    assert "no-such-program" in host.apply(expect="failed")["gone"]


def test_what_cannot_be_done_is_refused_with_its_reason(system: Booted) -> None:
    """No reload without ExecReload, no enabling without [Install], no unit out of nothing."""
    host = Host(system, "refused")
    wish: dict[str, Json] = {"exec_start": SLEEP, "running": True, "reload_on": ["r"]}
    host.module({**file("/etc/r.conf", "1\n"), "id": "r"}, service("rigid", **wish))
    assert host.apply()["rigid"] == "changed"
    host.module({**file("/etc/r.conf", "2\n"), "id": "r"}, service("rigid", **wish))
    assert "has no ExecReload=" in host.apply(expect="failed")["rigid"]
    wish = {"exec_start": SLEEP, "running": True, "restart_on": ["r"]}
    host.module({**file("/etc/r.conf", "2\n"), "id": "r"}, service("rigid", **wish))
    assert host.apply()["rigid"] == "changed", "the trigger had waited"
    host.module(
        service("systemd-journald", enabled=True),
        service("no-such-unit", running=True),
        service("systemd-tmpfiles-clean", running=True),
    )
    found = host.apply(expect="failed")
    assert "no [Install] section" in found["systemd-journald"]
    assert "not found" in found["no-such-unit"]
    assert "oneshot" in found["systemd-tmpfiles-clean"]


def test_masks_and_absence(system: Booted) -> None:
    """Masked: nothing starts it. Absent: stopped, disabled, deleted, its text kept as a copy."""
    vendor = "/usr/lib/systemd/system/mm.service"
    unit = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
    system.write(vendor, unit)
    host = Host(system, "masks")
    host.module(service("mm", running=True))
    assert host.apply() == {"mm": "changed"}
    host.module(service("mm", masked=True, running=False))
    assert host.apply() == {"mm": "changed"}
    assert "is masked" in system.run("systemctl", "start", "mm").stderr
    assert host.apply() == {"mm": "unchanged"}
    host.module(service("mm", running=True))
    assert "is masked" in host.apply(expect="failed")["mm"]
    host.module(service("mm", masked=False, enabled=True, running=True))
    assert (host.apply(), host.apply()) == ({"mm": "changed"}, {"mm": "unchanged"})
    host.module(service("mm", ensure="absent"))
    assert "comes with a package" in host.apply(expect="failed")["mm"]

    system.run("rm", vendor)
    system.run("systemctl", "disable", "--now", "mm")
    system.write("/etc/systemd/system/mm.service", unit)
    system.run("systemctl", "daemon-reload")
    system.run("systemctl", "enable", "--now", "mm")
    assert (host.apply(), host.apply()) == ({"mm": "changed"}, {"mm": "unchanged"})
    assert host.shown("mm", "LoadState") == "not-found"
    # Its content is encrypted under the host's key: that it was kept is all there is to see.
    assert system.run("sh", "-c", "ls /var/lib/state-masks/backups").stdout.split()


def test_a_timer_waits_and_starts_its_service(system: Booted) -> None:
    """Written, enabled, waiting; the change of its times is taken up; absence takes it away."""
    host = Host(system, "timer")
    report = service("tick", type="oneshot", exec_start=["/bin/touch", "/run/ticked"])

    def timer(**fields: Json) -> dict[str, Json]:
        return {"depends_on": ["tick"], "resource": {"timer-systemd": {"name": "tick", **fields}}}

    wish: dict[str, Json] = {"enabled": True, "running": True}
    host.module(report, timer(on_calendar=["*-*-* 03:00:00"], persistent=True, **wish))
    assert set(host.apply().values()) == {"changed"}
    assert set(host.apply().values()) == {"unchanged"}
    assert host.shown("tick.timer", "ActiveState") == "active"
    assert system.run("systemctl", "is-enabled", "tick.timer").stdout == "enabled\n"
    assert "03:00:00" in host.shown("tick.timer", "TimersCalendar")
    host.module(report, timer(on_boot=0, **wish))
    assert host.apply()["tick"] == "changed"
    assert not host.shown("tick.timer", "TimersCalendar")
    system.run("systemctl", "start", "tick.service")
    assert system.run("test", "-e", "/run/ticked").returncode == 0
    host.module(timer(ensure="absent") | {"depends_on": []})
    assert host.apply()["tick"] in {"changed", "removed"}
    assert host.shown("tick.timer", "LoadState") == "not-found"


def test_nothing_is_left_when_the_system_has_ended() -> None:
    """Mounts, control groups and processes go with it, also after a failure inside."""
    if (reason := missing()) is not None:
        pytest.skip(reason)
    seen: list[Booted] = []

    def fail_inside() -> None:
        with booted() as running:
            seen.append(running)
            assert str(running.root) in mounts()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()
    (system,) = seen
    assert not Path(f"/proc/{system.leader}/root/etc").exists()
    assert str(system.root) not in mounts()
    assert not system.root.parent.exists()
