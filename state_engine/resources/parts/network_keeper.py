"""Who configures an interface at boot, and the file that tells him of an address or a route.

A drop-in of systemd-networkd's own network file for the interface, or a stanza of ifupdown. Looks
at files only; the running network is the kinds' affair.
"""

from __future__ import annotations

import hashlib
import re
from fnmatch import fnmatchcase
from itertools import starmap
from typing import Literal

import msgspec

from protocol.canonical import Json
from protocol.reports import Action, CapturedStream, Change
from state_engine.ports import Link, PortError, Ports
from state_engine.resources.contract import Difference, SpecProblem, Step
from state_engine.resources.parts import owned_files
from state_engine.resources.parts.owned_files import HEADER, Found, Owned

Persist = Literal["auto", "networkd", "ifupdown", "none"]
Keeper = Literal["networkd", "ifupdown"]
MAX_READ = 262_144
PERSIST_HELP = (
    "Who brings it back after a boot. `networkd`: a drop-in of the network file that configures the"
    " interface; `ifupdown`: a stanza in /etc/network/interfaces.d; `none`: nobody, it holds until"
    " the next boot. `auto`, the default: whoever configures the interface now; an error if nobody."
)
_INTERFACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,14}")


class Kept(msgspec.Struct, frozen=True):
    """The running part, and our files; `live` is None where there is none of it.

    `keeper` is who keeps it over a boot; `wrong` why nobody can.
    """

    live: Json
    live_right: bool
    files: tuple[tuple[Owned, Found], ...] = ()
    wrong: str | None = None

    @property
    def captured(self) -> CapturedStream | None:
        """Looking runs nothing."""
        return None

    def state(self) -> Json:
        """Return what a decision binds."""
        return {"live": self.live, "files": [found.state() for _, found in self.files]}

    @property
    def files_right(self) -> bool:
        """Say whether every file of ours is as it ought to be."""
        return all(starmap(owned_files.right, self.files))

    def file_steps(self) -> tuple[Step, ...]:
        """Return what puts the files right."""
        return owned_files.all_steps(self.files)


def check_interface(name: str) -> list[SpecProblem]:
    """Return what keeps a text from being an interface's name."""
    if _INTERFACE.fullmatch(name):
        return []
    hint = "at most 15 letters, digits, `.`, `_`, `-`, `@`"
    return [SpecProblem("interface", f"`{name[:50]}` is not an interface's name", hint)]


def link_of(ports: Ports, name: str) -> Link | None:
    """Return the link of a name. Raises PortError."""
    return next((link for link in ports.network.links() if link.name == name), None)


def files_of(
    ports: Ports,
    root: str,
    link: Link | None,
    persist: Persist,
    mark: str,
    texts: dict[Keeper, str],
) -> tuple[tuple[tuple[Owned, Found], ...], str | None]:
    """Return our files with what they ought to be, and why nobody keeps it if somebody should.

    `mark` is what the files are for: their names are made of it, so that each thing has its own.
    `texts` is empty where there is to be no file. Raises PortError.
    """
    name = f"standfast-{hashlib.sha256(mark.encode()).hexdigest()[:16]}"
    networkd = None if link is None else _network_file(ports, root, link)
    stanza = f"{root}etc/network/interfaces.d/{name}"
    keeper, wrong = _keeper(ports, root, link, persist, networkd) if texts else (None, None)
    wanted: dict[str, Owned] = {}
    for path in (*_drop_ins(ports, root, f"{name}.conf"), stanza):
        wanted[path] = Owned(path)
    if keeper == "networkd":
        path = f"{root}etc/systemd/network/{networkd}.d/{name}.conf"
        wanted[path] = Owned(path, f"{HEADER}\n# {mark}\n{texts['networkd']}")
    elif keeper == "ifupdown":
        wanted[stanza] = Owned(stanza, f"{HEADER}\n# {mark}\n{texts['ifupdown']}")
    return tuple((each, owned_files.look(ports, each.path)) for each in wanted.values()), wrong


def judge(found: Kept, changes: tuple[Change, ...], *, absent: bool) -> Difference:
    """Return the difference of an address or a route; the kind adds the steps of what runs."""
    problems = [each.problem for _, each in found.files if each.problem is not None]
    if found.wrong is not None or problems:
        return Difference("error", message=found.wrong or problems[0])
    shown = list(changes)
    for wanted, each in found.files:
        if not owned_files.right(wanted, each):
            current = None if each.type is None else each.path
            desired = None if wanted.content is None else wanted.path
            shown.append(Change("persist", current, desired))
    if not shown:
        return Difference("none")
    made = not absent and found.live is None
    # What we overwrite was there before: then nothing of it was created.
    replaced = any(
        each.type is not None and not owned_files.right(wanted, each)
        for wanted, each in found.files
    )
    action: Action = "create" if made and not replaced else "update"
    return Difference(action, tuple(shown))


def _keeper(
    ports: Ports, root: str, link: Link | None, persist: Persist, networkd: str | None
) -> tuple[Keeper | None, str | None]:
    if persist == "none" or link is None:
        return None, None
    if networkd is not None and persist != "ifupdown":
        return "networkd", None
    if persist == "networkd":
        return None, (
            f"systemd-networkd does not configure {link.name}: give it a network file that matches"
            " the interface, or say `persist: none`"
        )
    if persist == "ifupdown" or _has_stanza(ports, root, link.name):
        if ports.files.stat(f"{root}etc/network") is None:
            return None, "there is no /etc/network: this host has no ifupdown"
        if not _reads_folder(ports, root):
            return None, (
                "/etc/network/interfaces reads no files of interfaces.d, so nothing would bring"
                " this back after a boot; add the line `source /etc/network/interfaces.d/*`"
            )
        return "ifupdown", None
    return None, (
        f"neither systemd-networkd nor ifupdown configures {link.name}, so nothing would bring this"
        " back after a boot; say `persist: none` if it need not last"
    )


def _reads_folder(ports: Ports, root: str) -> bool:
    """Say whether ifupdown reads files of our names, interfaces(5); Alpine's does not by itself."""
    path = f"{root}etc/network/interfaces"
    stat = ports.files.stat(path)
    if stat is None or stat.type != "file":
        return False
    ours = "interfaces.d/standfast-0"
    for line in ports.files.read(path, MAX_READ).decode(errors="replace").splitlines():
        words = [word.removeprefix("/etc/network/").rstrip("/") for word in line.split()]
        if words[:1] == ["source"] and any(fnmatchcase(ours, word) for word in words[1:]):
            return True
        if words[:1] == ["source-directory"] and "interfaces.d" in words[1:]:
            return True
    return False


def _network_file(ports: Ports, root: str, link: Link) -> str | None:
    """Return the name of the file by which systemd-networkd configures a link, if it does."""
    path = f"{root}run/systemd/netif/links/{link.index}"
    if ports.files.stat(path) is None:
        return None
    for line in ports.files.read(path, MAX_READ).decode(errors="replace").splitlines():
        key, _, value = line.partition("=")
        name = value.strip().rpartition("/")[2]
        if key == "NETWORK_FILE" and re.fullmatch(r"[A-Za-z0-9_.@:-]+\.network", name):
            return name
    return None


def _drop_ins(ports: Ports, root: str, name: str) -> tuple[str, ...]:
    """Return every drop-in of this name, whichever network file it belongs to."""
    folder = f"{root}etc/systemd/network"
    try:
        names = ports.files.names(folder)
    except PortError:
        return ()
    places = [f"{folder}/{each}/{name}" for each in names if each.endswith(".network.d")]
    return tuple(place for place in places if ports.files.stat(place) is not None)


def _has_stanza(ports: Ports, root: str, interface: str) -> bool:
    folder = f"{root}etc/network"
    if ports.files.stat(f"{folder}/interfaces") is None:
        return False
    paths = [f"{folder}/interfaces"]
    below = ports.files.stat(f"{folder}/interfaces.d")
    if below is not None and below.type == "directory":
        names = ports.files.names(f"{folder}/interfaces.d")
        # Our own stanzas only add to one that is there.
        paths += [f"{folder}/interfaces.d/{each}" for each in names if "standfast-" not in each]
    for path in paths:
        stat = ports.files.stat(path)
        if stat is None or stat.type != "file":
            continue
        for line in ports.files.read(path, MAX_READ).decode(errors="replace").splitlines():
            if line.split()[:2] == ["iface", interface]:
                return True
    return False
