"""What modules may ask of this host: platform, distro, version, arch, init_system."""

from __future__ import annotations

import os
from pathlib import Path

# os-release(5): the first of these that exists holds.
_RELEASE = ("etc/os-release", "usr/lib/os-release")
_MAX_RELEASE = 65_536
# What kernels say, as the published module format spells it.
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64", "armv7l": "armv7", "armv8l": "armv7"}
_DISTROS = {"almalinux": "alma", "redhat": "rhel"}


def attributes(root: Path = Path("/"), *, machine: str | None = None) -> dict[str, str]:
    """Return the host's attributes; one that cannot be told is left out.

    `root` is where the host's file system stands, `machine` what the kernel calls the processor.
    """
    found = {"platform": "linux"}
    release = parse_release(_read_release(root))
    if "ID" in release:
        found["distro"] = _DISTROS.get(release["ID"], release["ID"])
    if release.get("VERSION_ID"):
        found["version"] = release["VERSION_ID"]
    architecture = machine or os.uname().machine
    found["arch"] = _ARCHITECTURES.get(architecture, architecture)
    system = _init_system(root)
    if system is not None:
        found["init_system"] = system
    return found


def parse_release(text: str) -> dict[str, str]:
    """Return the assignments of an os-release file, without their quotes."""
    found: dict[str, str] = {}
    for raw in text.splitlines():
        line = raw.strip()
        name, equals, value = line.partition("=")
        if not equals or line.startswith("#"):
            continue
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        found[name] = value.replace('\\"', '"').replace("\\$", "$").replace("\\\\", "\\")
    return found


def _read_release(root: Path) -> str:
    for name in _RELEASE:
        try:
            with (root / name).open("rb") as file:
                return file.read(_MAX_RELEASE).decode("utf-8", "replace")
        except OSError:
            continue
    return ""


def _init_system(root: Path) -> str | None:
    # sd_booted(3) asks for this directory; a container without an init has none of them running,
    # so what is installed decides then.
    if (root / "run/systemd/system").is_dir():
        return "systemd"
    if (root / "run/openrc").is_dir() or (root / "sbin/openrc").exists():
        return "openrc"
    if (root / "lib/systemd/systemd").exists() or (root / "usr/lib/systemd/systemd").exists():
        return "systemd"
    if (root / "etc/init.d").is_dir():
        return "init.d"
    return None
