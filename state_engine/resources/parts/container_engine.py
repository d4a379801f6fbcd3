"""The commands of docker and podman, and what their `inspect` says. It is no kind.

Values are elements of argv, never text for a shell; variables go by standard input, for a command
line is seen by every user.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from state_engine.ports import PortError, Ports, ProgramCall

Engine = Literal["docker", "podman"]
Restart = Literal["no", "always", "on-failure", "unless-stopped"]
LABEL = "io.standfast.spec"
ASK_TIMEOUT = 60.0
PULL_TIMEOUT = 1_800.0  # some gigabytes over a slow line
RUN_TIMEOUT = 300.0
_PLACES = ("/usr/bin", "/usr/local/bin", "/bin")
_MAX_OUTPUT = 1_048_576
_PORT = re.compile(
    r"(?:(?:(?P<ip>[0-9.]+|\[[0-9A-Fa-f:]+\]):)?(?P<host>[0-9]{1,5}):)?(?P<inner>[0-9]{1,5})"
    r"(?:/(?P<protocol>tcp|udp|sctp))?"
)
_SOURCE = re.compile(r"/[^:,\n\0]*|[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


class Wish(msgspec.Struct, frozen=True):
    """A container as it is to be: lists in their one spelling, so that equal wishes are equal."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    restart: Restart = "no"
    user: str = ""
    network: str = ""


class Container(msgspec.Struct, frozen=True):
    """A container as found; `label` is the digest of the wish that it was made from, if ours."""

    id: str
    running: bool
    label: str
    wish: Wish


class _RestartPolicy(msgspec.Struct):
    Name: str = ""


class _Binding(msgspec.Struct):
    HostIp: str = ""
    HostPort: str = ""


class _HostConfig(msgspec.Struct):
    Binds: list[str] | None = None
    PortBindings: dict[str, list[_Binding] | None] | None = None
    RestartPolicy: _RestartPolicy = msgspec.field(default_factory=_RestartPolicy)
    NetworkMode: str = ""


class _Config(msgspec.Struct):
    Image: str = ""
    Cmd: list[str] | None = None
    Env: list[str] | None = None
    User: str = ""
    Labels: dict[str, str] | None = None


class _State(msgspec.Struct):
    Running: bool = False


class _Inspected(msgspec.Struct):
    Id: str
    Name: str
    State: _State = msgspec.field(default_factory=_State)
    Config: _Config = msgspec.field(default_factory=_Config)
    HostConfig: _HostConfig = msgspec.field(default_factory=_HostConfig)
    ImageName: str = ""  # podman's whole name of the image


def find_engine(asked: Engine | None, ports: Ports) -> Engine:
    """Return the engine of this host.

    Raises:
        PortError: there is none, or there are two and nobody said which.
    """
    there: list[Engine] = [
        engine
        for engine in ("docker", "podman")
        if any(ports.files.stat(f"{place}/{engine}") is not None for place in _PLACES)
    ]
    if asked is not None:
        return asked
    if len(there) == 2:
        raise PortError("docker and podman are both on this host; say `engine`")
    if not there:
        raise PortError("neither docker nor podman is on this host", "ENOENT")
    return there[0]


def find(engine: Engine, name: str, ports: Ports) -> Container | None:
    """Return the container of this name, or None.

    Raises:
        PortError: the engine cannot be asked, or its answer cannot be read.
    """
    exact = f"name=^/?{re.escape(name)}$"
    listing = ("ps", "--all", "--no-trunc", "--filter", exact, "--format", "{{.ID}}")
    number = _said(engine, listing, ports).strip()
    if not number:
        return None
    return parse(_said(engine, ("container", "inspect", number.splitlines()[0]), ports))


def has_image(engine: Engine, image: str, ports: Ports) -> bool:
    """Say whether an image is here already: one of a fixed tag or digest is not fetched again."""
    call = ProgramCall((engine, "image", "inspect", "--format", "{{.Id}}", image))
    return ports.programs.run(msgspec.structs.replace(call, timeout=ASK_TIMEOUT)).exit == 0


def parse(text: str) -> Container:
    """Return what `inspect` printed.

    Raises:
        PortError: it cannot be read.
    """
    try:
        found = msgspec.json.decode(text, type=list[_Inspected])[0]
    except (msgspec.DecodeError, IndexError) as error:
        raise PortError(f"what `inspect` says cannot be read: {error}") from error
    config, host = found.Config, found.HostConfig
    wish = Wish(
        found.Name.removeprefix("/"),
        plain_image(config.Image or found.ImageName),
        tuple(config.Cmd or ()),
        tuple(sorted(_pair(item) for item in config.Env or ())),
        _bound(host.PortBindings or {}),
        tuple(sorted(volume for item in host.Binds or () if (volume := read_volume(item)))),
        _restart(host.RestartPolicy.Name),
        config.User,
        host.NetworkMode,
    )
    return Container(found.Id, found.State.Running, (config.Labels or {}).get(LABEL, ""), wish)


def make(engine: Engine, wish: Wish, digest: str, *, start: bool) -> ProgramCall:
    """Return the making of a container, started or not; its image has to be there."""
    argv = [engine, *(("run", "--detach") if start else ("create",))]
    argv += ["--name", wish.name, "--label", f"{LABEL}={digest}", f"--restart={wish.restart}"]
    for port in wish.ports:
        argv.append(f"--publish={port}")
    for volume in wish.volumes:
        argv.append(f"--volume={volume}")
    if wish.user:
        argv.append(f"--user={wish.user}")
    if wish.network:
        argv.append(f"--network={wish.network}")
    lines = "".join(f"{name}={value}\n" for name, value in wish.env)
    if lines:
        argv.append("--env-file=/dev/stdin")
    argv += [wish.image, *wish.command]
    return ProgramCall(tuple(argv), stdin=lines.encode(), timeout=RUN_TIMEOUT)


def pull(engine: Engine, image: str) -> ProgramCall:
    """Return the fetch of an image."""
    return ProgramCall((engine, "pull", "--quiet", image), timeout=PULL_TIMEOUT)


def start(engine: Engine, number: str) -> ProgramCall:
    """Return the start of a container that is there."""
    return ProgramCall((engine, "start", number), timeout=RUN_TIMEOUT)


def stop(engine: Engine, number: str) -> ProgramCall:
    """Return the stop of a container, which has ten seconds for it."""
    return ProgramCall((engine, "stop", number), timeout=RUN_TIMEOUT)


def remove(engine: Engine, number: str) -> ProgramCall:
    """Return the removal of a stopped container; its volumes stay."""
    return ProgramCall((engine, "rm", number), timeout=RUN_TIMEOUT)


def read_port(text: str) -> str | None:
    """Return a published port in its one spelling, `[ip:]host:inner/protocol`, or None."""
    found = _PORT.fullmatch(text)
    if found is None or found["host"] is None:
        return None
    numbers = (int(found["host"]), int(found["inner"]))
    if not all(0 < number < 65_536 for number in numbers):
        return None
    ip = "" if found["ip"] in {None, "0.0.0.0", "[::]"} else f"{found['ip']}:"  # noqa: S104 - what a module writes
    return f"{ip}{numbers[0]}:{numbers[1]}/{found['protocol'] or 'tcp'}"


def read_volume(text: str) -> str | None:
    """Return a volume in its one spelling, `source:target[:ro]`, or None."""
    parts = text.split(":")
    if len(parts) not in {2, 3} or not parts[1].startswith("/"):
        return None
    if _SOURCE.fullmatch(parts[0]) is None or re.search(r"[,\n\0]", parts[1]):
        return None
    options = set(parts[2].split(",")) if len(parts) == 3 else set[str]()
    return f"{parts[0]}:{parts[1]}" + (":ro" if "ro" in options else "")


def wished_volume(text: str) -> str | None:
    """Return a volume as it is asked for: its one spelling, with `z` or `Z` for SELinux.

    None for one that cannot be read, or whose options would be left out.
    """
    given = text.split(":")[2:]
    options = given[0].split(",") if given else []
    plain = read_volume(text)
    labels = [option for option in options if option in {"z", "Z"}]
    access = [option for option in options if option in {"ro", "rw"}]
    known = len(labels) + len(access) == len(options)
    if plain is None or not known or len(labels) > 1 or len(access) > 1:
        return None
    if not labels:
        return plain
    return f"{plain}{',' if plain.endswith(':ro') and access else ':'}{labels[0]}"


def plain_image(image: str) -> str:
    """Return an image's name without the registry that is meant where none is named."""
    return image.removeprefix("docker.io/").removeprefix("library/")


def _restart(name: str) -> Restart:
    known: dict[str, Restart] = {
        "always": "always",
        "on-failure": "on-failure",
        "unless-stopped": "unless-stopped",
    }
    return known.get(name, "no")


def _pair(item: str) -> tuple[str, str]:
    name, _, value = item.partition("=")
    return name, value


def _bound(bindings: dict[str, list[_Binding] | None]) -> tuple[str, ...]:
    found: list[str] = []
    for inner, places in bindings.items():
        for place in places or ():
            ip = f"[{place.HostIp}]" if ":" in place.HostIp else place.HostIp
            text = f"{place.HostPort}:{inner}"
            found.append(read_port(f"{ip}:{text}" if ip else text) or text)
    return tuple(sorted(found))


def _said(engine: Engine, words: tuple[str, ...], ports: Ports) -> str:
    call = ProgramCall((engine, *words), timeout=ASK_TIMEOUT, keep=_MAX_OUTPUT)
    captured = ports.programs.run(call)
    if captured.exit != 0:
        last = captured.stderr.strip().rpartition("\n")[2][:200]
        raise PortError(f"{engine} failed: exit {captured.exit}: {last}")
    return captured.stdout
