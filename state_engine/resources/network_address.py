"""The kind `network-address`: an address of an interface, now and after the next boot."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import Change, TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import Ports, ProgramCall
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
_Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


class NetworkAddressSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An address of an interface: set in the running kernel, and kept for the next boot.

    Other addresses of the interface stay. `ensure: absent` takes the address off and deletes our
    file. No longer desired: the same if we set it; an address that was there before us stays, only
    our file goes. A change is taken back if the host loses its coordinator by it.
    """

    interface: Annotated[str, Meta(description="The interface's name.", examples=["eth0"])]
    address: Annotated[
        str,
        Meta(
            description="IPv4 or IPv6 address with its prefix length.",
            examples=["192.0.2.10/24", "2001:db8::10/64"],
        ),
    ]
    persist: Annotated[Persist, Meta(description=keeper.PERSIST_HELP)] = "auto"
    ensure: Annotated[
        Literal["present", "absent"], Meta(description="`absent`: the interface has it no more.")
    ] = "present"


class NetworkAddress:
    """Addresses of interfaces."""

    name = "network-address"
    spec_type: type[msgspec.Struct] = NetworkAddressSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True
    risk: Risk = "connectivity"

    def __init__(self, root: str = "/") -> None:
        self._root = root

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of the interface and the address."""
        item = _spec(spec)
        problems = keeper.check_interface(item.interface)
        found = _parsed(item.address)
        if found is None:
            hint = "write it with its prefix length: 192.0.2.10/24"
            problems.append(SpecProblem("address", f"`{item.address[:60]}` is not one", hint))
        elif found.ip.is_multicast or found.ip.is_unspecified:
            problems.append(SpecProblem("address", f"`{item.address}` is no host's address"))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the interface and the address in the one form that each has."""
        del resource_id
        interface, address = spec.get("interface"), spec.get("address")
        if not isinstance(interface, str) or not isinstance(address, str):
            return None
        found = _parsed(address)
        return f"{interface} {address if found is None else found}"

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """No file changes with an address; the kernel tells of it by netlink."""
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
        """Return whether the interface has the address, and our file."""
        del verify
        item = _spec(spec)
        wanted = str(_parsed(item.address))
        link = keeper.link_of(ports, item.interface)
        found = next(
            (
                each
                for each in ports.network.addresses()
                if each.interface == item.interface and each.address == wanted
            ),
            None,
        )
        present = item.ensure == "present"
        mark = f"{self.name} {self.identity(spec, None)}"
        texts = _texts(item, wanted) if present else {}
        files, wrong = keeper.files_of(ports, self._root, link, item.persist, mark, texts)
        if present and link is None:
            wrong = f"there is no interface {item.interface}"
        if present and found is not None and found.duplicate:
            wrong = f"another host on {item.interface} has the address {wanted}"
        live: Json = None if found is None else {"permanent": found.permanent}
        return Kept(live, found is not None and found.permanent, files, wrong)

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update or none; error where there is no such interface."""
        del context
        item, found = _spec(spec), _found(observation)
        absent = item.ensure == "absent"
        changes: tuple[Change, ...] = ()
        if absent and found.live is not None:
            changes = (Change("ensure", "present", "absent"),)
        elif not absent and found.live is None:
            changes = (Change("address", None, item.address),)
        elif not absent and not found.live_right:
            changes = (Change("lifetime", "limited", "forever"),)
        difference = keeper.judge(found, changes, absent=absent)
        if difference.action in {"none", "error"}:
            return difference
        steps: tuple[Step, ...] = ()
        if changes:
            steps = (_ip("del" if absent else "replace", item),)
        # The kernel first: an address that it refuses must not wait in a file for the next boot.
        return msgspec.structs.replace(difference, steps=(*steps, *found.file_steps()))

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what the comparison has worked out."""
        del spec
        return difference.steps

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: our file goes; the address too if we set it."""
        item, found = _spec(spec), _found(observation)
        if item.ensure == "absent":
            return Undo(message="nothing to take back: it was wished away")
        files = owned_files.gone([each for _, each in found.files])
        if applied.created and found.live is not None:
            change = Change("ensure", "present", "absent")
            return Undo((*files, _ip("del", item)), (change,), "take the address off")
        if found.live is None:
            return Undo(files, message="the address is gone already")
        return Undo(files, message="the address stays: it was there before us")

    def revert(
        self, spec: Spec, observation: Observation | None, copies: Mapping[str, str]
    ) -> tuple[Step, ...]:
        """Return what brings back what was observed: the files first, then what runs."""
        del copies
        item, found = _spec(spec), _found(observation)
        files = owned_files.back(found.files)
        # `del` fails for what is not there, and a revert must not: so it is set first.
        live = (_ip("replace", item),)
        return (*files, *live) if found.live is not None else (*files, *live, _ip("del", item))


def _spec(spec: Spec) -> NetworkAddressSpec:
    return msgspec.convert(spec, NetworkAddressSpec)


def _found(observation: Observation | None) -> Kept:
    if not isinstance(observation, Kept):
        raise TypeError(f"network-address was handed {type(observation).__name__}")
    return observation


def _parsed(text: str) -> _Interface | None:
    if "/" not in text or not text.isascii() or "%" in text:
        return None
    length = text.rpartition("/")[2]
    if not length.isdigit():  # a netmask would mean the same, and be another name for it
        return None
    try:
        return ipaddress.ip_interface(text)
    except ValueError:
        return None


def _ip(verb: str, item: NetworkAddressSpec) -> RunScript:
    address = str(_parsed(item.address))
    call = ProgramCall(("ip", "address", verb, address, "dev", item.interface), timeout=TIMEOUT)
    return RunScript(call, "apply")


def _texts(item: NetworkAddressSpec, address: str) -> dict[Keeper, str]:
    family = "inet6" if ":" in address else "inet"
    return {
        "networkd": f"[Address]\nAddress={address}\n",
        "ifupdown": f"iface {item.interface} {family} static\n    address {address}\n",
    }
