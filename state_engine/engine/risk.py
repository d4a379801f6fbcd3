"""Which changes may cut a host off from those who manage it: the kinds that say so, and a list.

Arming the dead-man switch because of them is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable

from state_engine.model import ResolvedResource
from state_engine.resources.contract import Risk, risk_of
from state_engine.resources.registry import KINDS

# The files of the ways into a host: remote login, links, name servers, firewalls.
PATHS = (
    "/etc/ssh/",
    "/etc/network/",
    "/etc/netplan/",
    "/etc/NetworkManager/",
    "/etc/systemd/network/",
    "/etc/systemd/resolved.conf",
    "/etc/resolv.conf",
    "/etc/hosts.allow",
    "/etc/hosts.deny",
    "/etc/nftables.conf",
    "/etc/nftables.d/",
    "/etc/iptables/",
    "/etc/ufw/",
    "/etc/firewalld/",
    "/etc/wireguard/",
    "/etc/pam.d/sshd",
)
UNITS = frozenset(
    name
    for stem in (
        "ssh",
        "sshd",
        "networking",
        "systemd-networkd",
        "systemd-resolved",
        "NetworkManager",
        "nftables",
        "iptables",
        "ufw",
        "firewalld",
    )
    for name in (stem, f"{stem}.service")
)


def risk_of_resource(resource: ResolvedResource) -> Risk:
    """Return what changing a resource may cost beside its own object."""
    kind = KINDS.get(resource.kind)
    if kind is None:
        return "none"
    if risk_of(kind) != "none":
        return risk_of(kind)
    if resource.kind == "service-systemd":
        return "connectivity" if resource.identity in UNITS else "none"
    path = resource.spec.get("path")
    named = path if isinstance(path, str) else resource.identity
    risky = any(
        named == known or (known.endswith("/") and f"{named}/".startswith(known)) for known in PATHS
    )
    return "connectivity" if risky else "none"


def risky(resources: Iterable[ResolvedResource]) -> bool:
    """Say whether changing any of the resources may cut the host off."""
    return any(risk_of_resource(resource) != "none" for resource in resources)
