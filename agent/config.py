"""The agent's configuration file: its keys, their defaults and what is wrong with one.

Flags of the command line win over the file. Who may sign what stands in policy.toml, not here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from agent import journal
from agent.logs import Level
from protocol.errors import InvalidName, StandfastError
from protocol.ids import check_hex64

DEFAULT_STATE_DIR = "/var/lib/standfast-agent"
DEFAULT_POLICY = "/etc/standfast/policy.toml"
MAX_CONFIG = 65_536


def says(text: str) -> msgspec.Meta:
    """Return what the reference says of a setting."""
    return msgspec.Meta(description=text)


class ConfigError(StandfastError):
    """The configuration cannot be read or understood; the text says where."""


class AgentConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator of the host may set.

    `enrolment_key` or `enrolment_key_file` enrol the host at its first start. Without either it
    waits for a discovery datagram on `discovery_address`, signed by `coordinator_key` (hex) or,
    if `trust_on_first_use` is true, by anyone. `hostname` replaces the host's own.
    `drift_interval` is seconds between full looks (10 to 86,400). `journal_limit` is bytes of
    results kept for a coordinator that is away (at least 1 MiB); above it new work is refused.
    """

    state_dir: Annotated[str, says("Directory of identity and database; 0700.")] = DEFAULT_STATE_DIR
    policy_file: Annotated[
        str, says("The host's own policy; only root may be able to write it.")
    ] = DEFAULT_POLICY
    enrolment_key: Annotated[
        str | None, says("Enrolment key; better in a file, for a command line can be seen.")
    ] = None
    enrolment_key_file: Annotated[
        str | None, says("File that holds the enrolment key, instead of `enrolment_key`.")
    ] = None
    coordinator_key: Annotated[
        str | None, says("Public key (hex) that a discovery datagram must be signed with.")
    ] = None
    trust_on_first_use: Annotated[
        bool, says("Take the first coordinator that announces itself; pending until approved.")
    ] = False
    # Broadcasts reach no narrower address.
    discovery_address: Annotated[
        str, says("host:port on which a host that is not enrolled waits for datagrams.")
    ] = "0.0.0.0:4747"
    hostname: Annotated[str | None, says("Replaces the host's own name, 1 to 253 characters.")] = (
        None
    )
    drift_interval: Annotated[
        float, says("Seconds between full looks, 10 to 86,400; changes are seen at once anyway.")
    ] = 300.0
    journal_limit: Annotated[
        int, says("Bytes of results kept while the coordinator is away, at least 1 MiB.")
    ] = journal.DEFAULT_LIMIT
    log_level: Annotated[Level, says("debug, info, warning or error.")] = "info"


def load(path: Path | None, overrides: dict[str, str | bool | None]) -> AgentConfig:
    """Return the configuration of a file (None: all defaults) under overrides (None: not given).

    Raises:
        ConfigError: not readable, not TOML, an unknown key or a value out of range.
    """
    data = {} if path is None else _read(path)
    data.update({key: value for key, value in overrides.items() if value is not None})
    try:
        config = msgspec.convert(data, AgentConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path or 'command line'}: {error}") from error
    _check(config)
    return config


def _read(path: Path) -> dict[str, object]:
    import tomllib

    try:
        with path.open("rb") as file:
            text = file.read(MAX_CONFIG + 1)
        if len(text) > MAX_CONFIG:
            raise ConfigError(f"{path} is longer than {MAX_CONFIG} bytes")
        return tomllib.loads(text.decode())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def _check(config: AgentConfig) -> None:
    if not 10.0 <= config.drift_interval <= 86_400.0:
        raise ConfigError("drift_interval must be 10 to 86400 seconds")
    if config.journal_limit < 1_048_576:
        raise ConfigError("journal_limit must be at least 1048576 bytes")
    if config.enrolment_key is not None and config.enrolment_key_file is not None:
        raise ConfigError("give enrolment_key or enrolment_key_file, not both")
    if config.hostname is not None and not 1 <= len(config.hostname) <= 253:
        raise ConfigError("hostname must have 1 to 253 characters")
    discovery_address(config)
    if config.coordinator_key is not None:
        try:
            check_hex64(config.coordinator_key, "coordinator_key")
        except InvalidName as error:
            raise ConfigError(str(error)) from error


def discovery_address(config: AgentConfig) -> tuple[str, int]:
    """Return host and port on which discovery datagrams are awaited.

    Raises:
        ConfigError: it is not `host:port`.
    """
    host, _, port = config.discovery_address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise ConfigError("discovery_address must be host:port")
    return host.strip("[]"), int(port)
