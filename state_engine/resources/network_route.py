"""The kind `network-route`: a route of this host, now and after the next boot."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import Change, TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import Ports, ProgramCall, Route
from state_engine.resources.contract import (
    Context,
    Difference,
    Observation,
    Risk,
    RunScript,
    Spec,
    SpecProblem,
    Step,
    Undo,
)
from state_engine.resources.parts import network_keeper as keeper
from state_engine.resources.parts import owned_files
from state_engine.resources.parts.network_keeper import Keeper, Kept, Persist

TIMEOUT = 30.0
MAIN = 254
# The kernel's own metric of a route that is set without one: 0 for IPv4, this for IPv6.
IPV6_METRIC = 1024
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class NetworkRouteSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A unicast route: set in the running kernel, and kept for the next boot.

    Destination, table and metric say which route it is; there is one of each. `ensure: absent`
    deletes it with our file. No longer desired: the same if we set it; a route that was there
    before us stays as it is now. A change is taken back if the host loses its coordinator by it.
    """

    destination: Annotated[
        str,
        Meta(
            description="A network with its prefix length; `0.0.0.0/0` or `::/0` is the default.",
            examples=["198.51.100.0/24", "0.0.0.0/0", "2001:db8:1::/48"],
        ),
    ]
    interface: Annotated[str, Meta(description="Where it leads out.", examples=["eth0"])]
    via: Annotated[
        str | None, Meta(description="The gateway; none: straight out.", examples=["192.0.2.1"])
    ] = None
    source: Annotated[
        str | None, Meta(description="The address of ours that packets carry by preference.")
    ] = None
    metric: Annotated[
        Annotated[int, Meta(ge=0, le=2**32 - 1)] | None,
        Meta(description="The lower one wins. Left out: 0, and 1024 for IPv6."),
    ] = None
    table: Annotated[
        Annotated[int, Meta(ge=1, le=2**32 - 1)] | None,
        Meta(description="The number of the routing table. Left out: 254, the main one."),
    ] = None
    persist: Annotated[Persist, Meta(description=keeper.PERSIST_HELP)] = "auto"
    ensure: Annotated[
        Literal["present", "absent"], Meta(description="`absent`: there is no such route.")
    ] = "present"


class NetworkRoute:
    """Routes of this host."""

    name = "network-route"
    spec_type: type[msgspec.Struct] = NetworkRouteSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True
    risk: Risk = "connectivity"

    def __init__(self, root: str = "/") -> None:
        self._root = root

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of destination, gateway, source and interface."""
        item = _spec(spec)
        problems = keeper.check_interface(item.interface)
        network = _network(item.destination)
        if network is None:
            hint = "write the network's own address and its prefix length: 198.51.100.0/24"
            message = f"`{item.destination[:60]}` is not a network"
            return [*problems, SpecProblem("destination", message, hint)]
        if network.version == 6 and item.metric == 0:
            problems.append(SpecProblem("metric", "the kernel makes 1024 of an IPv6 route's 0"))
        if item.table == 255:
            problems.append(SpecProblem("table", "the table 255 is the kernel's own"))
        for field, text in (("via", item.via), ("source", item.source)):
            address = None if text is None else _address(text)
            if text is not None and address is None:
                problems.append(SpecProblem(field, f"`{text[:60]}` is not an address"))
            elif address is not None and address.version != network.version:
                message = f"`{text}` is no IPv{network.version} address, as the destination is"
                problems.append(SpecProblem(field, message))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return what tells routes apart: destination, table, metric."""
        del resource_id
        text, table, metric = spec.get("destination"), spec.get("table"), spec.get("metric")
        if not isinstance(text, str):
            return None
        network = _network(text)
        word = text if network is None else str(network)
        if isinstance(table, int) and table != MAIN:
            word += f" table {table}"
        usual = IPV6_METRIC if network is not None and network.version == 6 else 0
        if isinstance(metric, int) and metric != usual:
            word += f" metric {metric}"
        return word

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """No file changes with a route; the kernel tells of it by netlink."""
        del spec
        return ()

    def runs_code(self, spec: Spec) -> bool:
        """Looking runs nothing."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """The kernel has to be asked."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> Kept:
        """Return the route as the kernel has it, and our file."""
        del verify
        item = _spec(spec)
        wanted = _wanted(item)
        found = [
            each
            for each in ports.network.routes(wanted.table)
            if (each.destination, each.metric) == (wanted.destination, wanted.metric)
        ]
        link = keeper.link_of(ports, item.interface)
        present = item.ensure == "present"
        mark = f"{self.name} {self.identity(spec, None)}"
        texts = _texts(item, wanted) if present else {}
        files, wrong = keeper.files_of(ports, self._root, link, item.persist, mark, texts)
        if present and link is None:
            wrong = f"there is no interface {item.interface}"
        if len(found) > 1 or any(each.many for each in found):
            wrong = f"{wanted.destination} has several routes of one metric: delete them first"
        live: Json = None
        if found:
            live = {"via": found[0].via, "dev": found[0].interface, "src": found[0].source}
        return Kept(live, bool(found) and _same(found[0], wanted, item), files, wrong)

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update or none; error where there is no such interface."""
        del context
        item, found = _spec(spec), _found(observation)
        absent = item.ensure == "absent"
        changes: tuple[Change, ...] = ()
        if absent and found.live is not None:
            changes = (Change("ensure", "present", "absent"),)
        elif not absent and not found.live_right:
            changes = _changes(item, found.live)
        difference = keeper.judge(found, changes, absent=absent)
        if difference.action in {"none", "error"}:
            return difference
        steps: tuple[Step, ...] = ()
        if changes:
            steps = (_ip("del", item, {}) if absent else _ip("replace", item, _live(item)),)
        # The kernel first: a route that it refuses must not wait in a file for the next boot.
        return msgspec.structs.replace(difference, steps=(*steps, *found.file_steps()))

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what the comparison has worked out."""
        del spec
        return difference.steps

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: our file goes; the route too if we set it."""
        item, found = _spec(spec), _found(observation)
        if item.ensure == "absent":
            return Undo(message="nothing to take back: it was wished away")
        files = owned_files.gone([each for _, each in found.files])
        if applied.created and found.live is not None:
            change = Change("ensure", "present", "absent")
            return Undo((*files, _ip("del", item, {})), (change,), "delete the route")
        if found.live is None:
            return Undo(files, message="the route is gone already")
        return Undo(files, message="the route stays: it was there before us")

    def revert(
        self, spec: Spec, observation: Observation | None, copies: Mapping[str, str]
    ) -> tuple[Step, ...]:
        """Return what brings back what was observed: the files first, then what runs."""
        del copies
        item, found = _spec(spec), _found(observation)
        files = owned_files.back(found.files)
        if isinstance(found.live, dict):
            return (*files, _ip("replace", item, found.live))
        # `del` fails for what is not there, and a revert must not: a route that needs no gateway
        # takes its place first, which always can be set.
        return (*files, _ip("replace", item, None), _ip("del", item, {}))


def _spec(spec: Spec) -> NetworkRouteSpec:
    return msgspec.convert(spec, NetworkRouteSpec)


def _found(observation: Observation | None) -> Kept:
    if not isinstance(observation, Kept):
        raise TypeError(f"network-route was handed {type(observation).__name__}")
    return observation


def _network(text: str) -> _Network | None:
    if not text.isascii() or not text.rpartition("/")[2].isdigit() or "/" not in text:
        return None
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return None if "%" in text else ipaddress.ip_address(text)
    except ValueError:
        return None


def _wanted(item: NetworkRouteSpec) -> Route:
    network = _network(item.destination)
    usual = IPV6_METRIC if network is not None and network.version == 6 else 0
    return Route(
        str(network),
        MAIN if item.table is None else item.table,
        usual if item.metric is None else item.metric,
        item.interface,
        None if item.via is None else str(_address(item.via)),
        None if item.source is None else str(_address(item.source)),
    )


def _same(found: Route, wanted: Route, item: NetworkRouteSpec) -> bool:
    ways = (found.interface, found.via) == (wanted.interface, wanted.via)
    return ways and (item.source is None or found.source == wanted.source)


def _live(item: NetworkRouteSpec) -> dict[str, Json]:
    wanted = _wanted(item)
    return {"via": wanted.via, "dev": wanted.interface, "src": wanted.source}


def _changes(item: NetworkRouteSpec, live: Json) -> tuple[Change, ...]:
    """Return what differs, each value under its own field."""
    now = live if isinstance(live, dict) else {}
    new = [] if now else [Change("destination", None, item.destination)]
    for field, key in (("via", "via"), ("interface", "dev"), ("source", "src")):
        old, wanted = now.get(key), _live(item)[key]
        shown = old if isinstance(old, str) else None
        if shown != wanted and not (field == "source" and item.source is None):
            new.append(Change(field, shown, wanted if isinstance(wanted, str) else None))
    return tuple(new)


def _ip(verb: str, item: NetworkRouteSpec, live: Mapping[str, Json] | None) -> RunScript:
    """Return the step that sets or deletes the route; `live` None: one that leads nowhere."""
    wanted = _wanted(item)
    family = "-6" if ":" in wanted.destination else "-4"
    argv = ["ip", family, "route", verb, *(["unreachable"] if live is None else [])]
    argv += [wanted.destination, "table", str(wanted.table), "metric", str(wanted.metric)]
    for key, value in (live or {}).items():
        if isinstance(value, str):
            argv += [key, value]
    if verb == "replace":
        argv += ["proto", "static"]
    return RunScript(ProgramCall(tuple(argv), timeout=TIMEOUT), "apply")


def _texts(item: NetworkRouteSpec, wanted: Route) -> dict[Keeper, str]:
    lines = [f"Destination={wanted.destination}"]
    if wanted.via is not None:
        lines.append(f"Gateway={wanted.via}")
    if wanted.source is not None:
        lines.append(f"PreferredSource={wanted.source}")
    lines += [f"Metric={wanted.metric}", f"Table={wanted.table}"]
    family = "inet6" if ":" in wanted.destination else "inet"
    argv = _ip("replace", item, _live(item)).call.argv
    return {
        "networkd": "".join(f"{line}\n" for line in ["[Route]", *lines]),
        "ifupdown": f"iface {item.interface} {family} manual\n    up {' '.join(argv)}\n",
    }
