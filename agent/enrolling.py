"""Where an enrolment key comes from: the configuration, a file it names, or `enrol` of the CLI."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from agent.config import AgentConfig, ConfigError
from agent.files import read_small, replace_private
from agent.trust import Pins
from protocol import enrolment
from protocol.errors import StandfastError

FILE = "enrolment-key"


def pins_of(text: str) -> Pins:
    """Return what an enrolment key pins.

    Raises:
        DecodeError: it is no enrolment key.
    """
    key = enrolment.decode(text.strip())
    return Pins(
        key.urls,
        bytes.fromhex(key.coordinator_key),
        key.tls_fingerprint,
        key.roster,
        key.secret_bytes(),
        key.node_id,
    )


def find(config: AgentConfig, state_dir: Path) -> Pins | None:
    """Return the pins of the first enrolment key found: config, its file, then `enrol`'s.

    Raises:
        ConfigError: the named file cannot be read.
        DecodeError: what was found is no enrolment key.
    """
    if config.enrolment_key is not None:
        return pins_of(config.enrolment_key)
    if config.enrolment_key_file is not None:
        try:
            data = read_small(Path(config.enrolment_key_file))
        except OSError as error:
            raise ConfigError(f"{config.enrolment_key_file}: {error.strerror}") from error
        if data is None:
            raise ConfigError(f"{config.enrolment_key_file}: no such file")
        return pins_of(data.decode(errors="replace"))
    return left(state_dir)


def known_as(config: AgentConfig, state_dir: Path, held: Pins | None) -> str:
    """Return the id under which this host is known where it does not follow from its key, or "".

    `held` is what is pinned already. A key that cannot be read is told when it is taken.
    """
    if held is not None:
        return held.node_id
    with suppress(StandfastError):
        found = find(config, state_dir)
        return found.node_id if found is not None else ""
    return ""


def left(state_dir: Path) -> Pins | None:
    """Return the pins of the key that `enrol` left, if there is one.

    Raises:
        ConfigError: it cannot be read.
        DecodeError: it is no enrolment key.
    """
    try:
        data = read_small(state_dir / FILE)
    except OSError as error:
        raise ConfigError(f"{state_dir / FILE}: {error.strerror}") from error
    return None if data is None else pins_of(data.decode(errors="replace"))


def leave(state_dir: Path, text: str) -> None:
    """Leave a key for the agent to find, 0600 because of its secret; wakes one that waits.

    Raises:
        DecodeError: it is no enrolment key.
    """
    pins_of(text)
    replace_private(state_dir / FILE, text.strip().encode() + b"\n")


def clear(state_dir: Path) -> None:
    """Remove a left key once it is used: its secret has no value any more."""
    with suppress(OSError):
        # On a disk that went read-only it stays; the link must not fall for that.
        (state_dir / FILE).unlink(missing_ok=True)
