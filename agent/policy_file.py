"""Reading `/etc/standfast/policy.toml`: whose signature this host wants, by the host's own word.

What the rules mean is `protocol.policy`. A file that anyone else could write is no policy.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import get_args

from protocol import policy
from protocol.errors import DecodeError, StandfastError
from protocol.policy import Capability, CapabilityRule, Policy

MAX_POLICY = 65_536


class PolicyFileError(StandfastError):
    """The policy file cannot be trusted or understood; the agent does not start with it."""


def load(path: Path) -> Policy:
    """Return the host's policy; a file that does not exist means the default for everything.

    Raises:
        PolicyFileError: it or its directory is not owned by root (or by the agent's own user) or
            is writable by others; it is a symbolic link, or not a policy.
    """
    try:
        _check_directory(path.parent)
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return Policy()
    except OSError as error:
        raise PolicyFileError(f"{path}: {error.strerror}") from error
    try:
        _check_owner(path, os.fstat(fd))
        data = os.read(fd, MAX_POLICY + 1)
    except OSError as error:
        raise PolicyFileError(f"{path}: {error.strerror}") from error
    finally:
        os.close(fd)
    return _parse(path, data)


def _check_directory(path: Path) -> None:
    # Whoever may write there can take the file away, and with it all that it forbids.
    status = path.stat()
    if status.st_uid not in {0, os.geteuid()} or status.st_mode & 0o022:
        raise PolicyFileError(f"the directory {path} is another user's or writable by others")


def _check_owner(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise PolicyFileError(f"{path} is not a file")
    if status.st_uid not in {0, os.geteuid()}:
        raise PolicyFileError(f"{path} belongs to user {status.st_uid}; it must be root's")
    if status.st_mode & 0o022:
        raise PolicyFileError(f"{path} is writable by others; chmod go-w it")


def _parse(path: Path, data: bytes) -> Policy:
    import tomllib

    if len(data) > MAX_POLICY:
        raise PolicyFileError(f"{path} is longer than {MAX_POLICY} bytes")
    try:
        return policy.parse(tomllib.loads(data.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, DecodeError) as error:
        raise PolicyFileError(f"{path}: {error}") from error


def lines(found: Policy) -> list[str]:
    """Return what each capability takes on this host, a line for each, for a person to read."""
    names = sorted(get_args(Capability))
    return [f"{name:16} {_line(found.rule(name))}" for name in names]


def _line(rule: CapabilityRule) -> str:
    if rule.signature == "deny":
        return "nobody may"
    who = "one operator" if rule.quorum == 1 else f"{rule.quorum} operators"
    words = [f"{who} or the coordinator" if rule.signature == "coordinator" else who]
    if rule.requester_excluded:
        words.append("besides whoever asked")
    limits = {
        "operators": rule.operators,
        "windows": rule.windows,
        "users": rule.users,
        "kinds": rule.kinds,
        "paths": rule.paths,
        "deny_paths": rule.deny_paths,
    }
    words += [f"{name} {' '.join(values)}" for name, values in limits.items() if values]
    if not rule.repair:
        words.append("no repairs by itself")
    return "; ".join(words)
