"""The same work through other tools of the field: whole processes, and all has converged.

Only a support of `benchmarks.engine --peers`, which installs them: salt and pyinfra into a virtual
environment of their own (kept in the user's cache), cfengine3 with apt. Each tool gets the work in
its own usual form; what a run has to read and parse is part of what it costs.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import yaml

from benchmarks.rows import row

ROUNDS = 5
# A module is at most 256 KiB: 200 files of 1 KiB and what is written around them.
FILES_IN_MODULE = 200
# pyinfra takes 40 s for 1,000 files: beyond this it would be the whole benchmark.
PYINFRA_MOST = 100
FILLER = "x" * 1_017
CF_LIBRARY = Path("/usr/share/cfengine3/masterfiles/lib/stdlib.cf")


class Work(msgspec.Struct, frozen=True):
    """What every tool has to hold: `files` of 1 KiB, and of the machine what is there already."""

    name: str
    files: int
    packages: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    lines: int = 0


def main() -> list[dict[str, object]]:
    """Return the rows of every work through every tool."""
    environment = _environment()
    rows: list[dict[str, object]] = []
    for work in (*(Work(f"{n} files", n) for n in (100, 1_000, 10_000)), _mixed()):
        with tempfile.TemporaryDirectory(prefix="standfast-peers-") as name:
            rows += _measure(work, Path(name).resolve(), environment)
    return rows


def _mixed() -> Work:
    shown = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\\n"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    there = [line.split()[0] for line in shown.splitlines() if line.endswith(" installed")]
    users = [user.pw_name for user in pwd.getpwall() if user.pw_uid < 1_000]
    name = f"1000 files, 20 packages, {len(users)} users, 100 lines"
    return Work(name, 1_000, tuple(there[:20]), tuple(users), 100)


def _measure(work: Work, folder: Path, environment: Path) -> list[dict[str, object]]:
    tools = {"cf-agent": _cfengine, "salt-call --local": _salt, "pyinfra @local": _pyinfra}
    own, peak = _time(_standfast(work, folder / "standfast", environment))
    base = f"standfast-state apply, {work.name}"
    rows = [row(base, own), _memory(base, peak)]
    for name, make in tools.items():
        if name.startswith("pyinfra") and work.files > PYINFRA_MOST:
            continue
        taken, most = _time(make(work, folder / name.split()[0], environment))
        title = f"{name}, {work.name}"
        rows += [row(title, taken, own, base), _memory(title, most, peak, base)]
    return rows


def _memory(
    name: str, kib: int, base: int | None = None, base_name: str | None = None
) -> dict[str, object]:
    return {
        "name": f"{name}: peak memory",
        "value": round(kib / 1_024, 1),
        "unit": "MiB",
        "ratio": None if base is None else round(kib / base, 2),
        "ratio_to": None if base_name is None else f"{base_name}: peak memory",
    }


def _time(argv: list[str]) -> tuple[float, int]:
    """Run until it has converged; return the median seconds of a run that changes nothing.

    Beside them the most resident memory of a run in KiB.
    """
    _run(argv)
    times: list[float] = []
    peaks: list[int] = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        peaks.append(_run(argv))
        times.append(time.perf_counter() - begun)
    return statistics.median(times), max(peaks)


def _run(argv: list[str]) -> int:
    # Installed programs have their bytecode: no tool may compile in every run.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile() as output:
        files = [(os.POSIX_SPAWN_DUP2, output.fileno(), target) for target in (1, 2)]
        pid = os.posix_spawnp(argv[0], argv, environment, file_actions=files)
        _, status, usage = os.wait4(pid, 0)
        if status != 0:
            output.seek(0)
            sys.stderr.write(output.read().decode(errors="replace")[-4_000:])
            raise SystemExit(f"{argv[0]} ended with status {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss


def _paths(work: Work, folder: Path) -> list[Path]:
    (folder / "files").mkdir(parents=True)
    return [folder / "files" / f"file-{number:05}" for number in range(work.files)]


def _text(number: int) -> str:
    return f"{number:05}\n{FILLER}\n"


def _standfast(work: Work, folder: Path, environment: Path) -> list[str]:
    del environment
    resources: list[dict[str, object]] = []
    for number, path in enumerate(_paths(work, folder)):
        spec = {"path": str(path), "content": _text(number), "owner": "root", "mode": "0644"}
        resources.append({"resource": {"file-unix": spec}})
    for start in range(0, len(resources), FILES_IN_MODULE):
        _module(folder, f"files-{start:05}", resources[start : start + FILES_IN_MODULE])
    specs: list[tuple[str, dict[str, object]]] = [
        *(("package-apt", _named(name)) for name in work.packages),
        *(("user-unix", _named(name)) for name in work.users),
        *(("line-in-file", _line(folder, number)) for number in range(work.lines)),
    ]
    rest: list[dict[str, object]] = [{"resource": {kind: spec}} for kind, spec in specs]
    if rest:
        _module(folder, "rest", rest)
    program = str(Path(sys.executable).with_name("standfast-state"))
    return [program, "apply", "--yes", f"--state-dir={folder}/state", str(folder)]


def _named(name: str) -> dict[str, object]:
    return {"name": name}


def _line(folder: Path, number: int) -> dict[str, object]:
    return {"path": str(folder / f"lines-{number % 10}"), "line": f"line {number}", "create": True}


def _module(folder: Path, name: str, resources: list[dict[str, object]]) -> None:
    module = {"name": name, "supports": [{"platform": "linux"}], "resources": resources}
    (folder / f"{name}.ordo.yaml").write_text(yaml.safe_dump(module), encoding="utf-8")


def _cfengine(work: Work, folder: Path, environment: Path) -> list[str]:
    del environment
    body = [
        f'body common control {{ inputs => {{ "{CF_LIBRARY}" }};',
        ' bundlesequence => { "main" }; }\nbundle agent main\n{\nfiles:\n',
    ]
    body += [
        f'"{path}" content => "{_text(number)}", create => "true",'
        ' perms => mog("0644", "root", "root");\n'
        for number, path in enumerate(_paths(work, folder))
    ]
    body += [
        f'"{folder}/lines-{number % 10}" create => "true",'
        f' edit_line => insert_lines("line {number}");\n'
        for number in range(work.lines)
    ]
    if work.users:
        body += ["users:\n", *(f'"{name}" policy => "present";\n' for name in work.users)]
    if work.packages:
        wanted = 'package_policy => "add", package_method => apt'
        body += ["packages:\n", *(f'"{name}" {wanted};\n' for name in work.packages)]
    policy = folder / "promises.cf"
    policy.write_text("".join([*body, "}\n"]), encoding="utf-8")
    policy.chmod(0o600)
    return ["cf-agent", "--no-lock", "--file", str(policy)]


def _salt(work: Work, folder: Path, environment: Path) -> list[str]:
    states: dict[str, object] = {
        str(path): {
            "file.managed": [
                {"contents": _text(number).rstrip("\n")},
                {"user": "root"}, {"group": "root"}, {"mode": "0644"},
            ]
        }
        for number, path in enumerate(_paths(work, folder))
    }  # fmt: skip
    if work.packages:
        states["packages"] = {"pkg.installed": [{"pkgs": list(work.packages)}]}
    states |= {f"user {name}": {"user.present": [{"name": name}]} for name in work.users}
    for number in range(10 if work.lines else 0):
        (folder / f"lines-{number}").touch()
    states |= {
        f"line {number}": {
            "file.append": [{"name": str(folder / f"lines-{number % 10}")}, {"text": f"l{number}"}]
        }
        for number in range(work.lines)
    }
    (folder / "states").mkdir()
    (folder / "states/work.sls").write_text(yaml.safe_dump(states), encoding="utf-8")
    config = {"root_dir": str(folder), "file_client": "local", "state_output": "terse"}
    (folder / "minion").write_text(yaml.safe_dump({**config, "id": "peer"}), encoding="utf-8")
    return [
        str(environment / "bin/salt-call"), "--local", f"--config-dir={folder}",
        f"--file-root={folder}/states", "--retcode-passthrough", "state.apply", "work",
    ]  # fmt: skip


def _pyinfra(work: Work, folder: Path, environment: Path) -> list[str]:
    lines = ["from io import StringIO", "from pyinfra.operations import files"]
    lines += [
        f"files.put(src=StringIO({_text(number)!r}), dest={str(path)!r}, user='root',"
        " group='root', mode='644')"
        for number, path in enumerate(_paths(work, folder))
    ]
    deploy = folder / "deploy.py"
    deploy.write_text("\n".join(lines), encoding="utf-8")
    return [str(environment / "bin/pyinfra"), "--yes", "@local", str(deploy)]


def _environment() -> Path:
    """Install the peers where they are missing; return the environment of those in Python."""
    if os.geteuid() != 0 or "root" not in {group.gr_name for group in grp.getgrall()}:
        raise SystemExit("--peers needs root: the tools manage users and packages")
    if shutil.which("cf-agent") is None:
        _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "cfengine3"])
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    environment = cache / "standfast-bench" / "peers"
    if not (environment / "bin/pyinfra").exists():
        _run([sys.executable, "-m", "venv", str(environment)])
        _run([str(environment / "bin/pip"), "install", "--quiet", "salt", "pyinfra"])
    return environment
