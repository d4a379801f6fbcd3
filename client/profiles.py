"""Profiles: which coordinators this operator knows, and what is pinned of each.

The file `profiles.json` holds no secret, but its pins decide whom we trust: it is private too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from client.failures import BadUsageError, ClientError, NotFoundError
from client.private_files import read_private, replace_private
from protocol.ids import DEFAULT_SCOPE

DEFAULT_PORT = 4748
PROFILES_FILE = "profiles.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One coordinator: where it is, and its pinned certificate, key and roster ("" = not yet).

    `fingerprint` is the SHA-256 of the TLS certificate, `roster` the digest of a roster version.
    """

    name: str
    url: str
    fingerprint: str = ""
    coordinator_key: str = ""
    roster: str = ""
    scope: str = DEFAULT_SCOPE


class Profiles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All profiles, in the order in which they were made; `default` names one of them."""

    default: str | None = None
    profiles: tuple[Profile, ...] = ()

    def find(self, name: str) -> Profile:
        """Return the profile of that name.

        Raises:
            NotFoundError: there is none.
        """
        for profile in self.profiles:
            if profile.name == name:
                return profile
        raise NotFoundError(
            f"there is no profile {name!r}",
            next_command="standfast profile list",
            code="profile_not_found",
        )

    def put(self, profile: Profile) -> Profiles:
        """Return the profiles with this one added or replaced; the first becomes the default."""
        kept = tuple(profile if known.name == profile.name else known for known in self.profiles)
        if profile not in kept:
            kept = (*kept, profile)
        return Profiles(self.default or profile.name, kept)

    def without(self, name: str) -> Profiles:
        """Return the profiles without one; if it was the default, the first left becomes it."""
        kept = tuple(profile for profile in self.profiles if profile.name != name)
        default = self.default if self.default != name else (kept[0].name if kept else None)
        return Profiles(default, kept)


def config_dir(environment: Mapping[str, str], given: str | None) -> Path:
    """Return the configuration directory: given, else by the environment, else `~/.config`."""
    if given:
        return Path(given)
    if environment.get("STANDFAST_CONFIG_DIR"):
        return Path(environment["STANDFAST_CONFIG_DIR"])
    base = environment.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "standfast"


def load(directory: Path) -> Profiles:
    """Return the profiles of a configuration directory (none if there is no file).

    Raises:
        ClientError: the file cannot be read or understood.
    """
    path = directory / PROFILES_FILE
    data = read_private(path)
    if data is None:
        return Profiles()
    try:
        return msgspec.json.decode(data, type=Profiles)
    except msgspec.MsgspecError as error:
        raise ClientError(f"{path}: {error}", code="profiles_invalid") from error


def save(directory: Path, profiles: Profiles) -> None:
    """Write the profiles, whole or not at all."""
    data = msgspec.json.format(msgspec.json.encode(profiles), indent=2)
    replace_private(directory / PROFILES_FILE, data + b"\n")


def check_profile_name(name: str) -> str:
    """Return the name if it may name a profile (it becomes part of file names).

    Raises:
        BadUsageError: it may not.
    """
    if not _NAME.match(name):
        raise BadUsageError(
            f"profile name {name!r} must have 1 to 64 of A-Z a-z 0-9 . _ -, letter or digit first"
        )
    return name


def make_url(url: str | None, host: str | None, port: int | None, *, tls: bool) -> str:
    """Return the one form of a coordinator's address: `https://HOST:PORT`.

    Raises:
        BadUsageError: neither or both of url and host are given, or it is no address.
    """
    if (url is None) == (host is None):
        raise BadUsageError("give either --url https://HOST:PORT or --host HOST")
    if host is not None:
        shown = f"[{host}]" if ":" in host else host
        url = f"{'https' if tls else 'http'}://{shown}:{port or DEFAULT_PORT}"
    assert url is not None  # noqa: S101 - follows from the check above, for the type checker
    return normal_url(url)


def normal_url(url: str) -> str:
    """Return a URL as `scheme://host:port`.

    Raises:
        BadUsageError: another scheme, no host, or more than an address.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORT
    except ValueError as error:
        raise BadUsageError(f"{url!r} is not an address: {error}") from error
    host = parts.hostname
    if parts.scheme not in {"https", "http"} or not host:
        raise BadUsageError(f"{url!r} is not an address; write https://HOST:PORT")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username:
        raise BadUsageError(
            f"{url!r} says more than scheme, host and port; write https://HOST:PORT"
        )
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def name_for(url: str) -> str:
    """Return the profile name for an address that was given without one."""
    parts = urlsplit(url)
    host = re.sub(r"[^A-Za-z0-9.-]", "-", parts.hostname or "").strip("-.") or "coordinator"
    return f"{host}-{parts.port}"
