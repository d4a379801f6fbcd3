"""The coordinator's settings: one frozen struct, read from TOML, every mistake named at once.

Reading files is `main`'s affair; here text becomes a value or a list of problems.
"""

from __future__ import annotations

import difflib
import tomllib
from typing import Annotated

import msgspec

from protocol.errors import StandfastError

Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
Positive = Annotated[int, msgspec.Meta(ge=1)]


def says(text: str) -> msgspec.Meta:
    """Return what the reference says of a setting."""
    return msgspec.Meta(description=text)


class ConfigError(StandfastError):
    """The configuration cannot be used; the text lists every problem, one a line."""


class CoordinatorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings with their defaults; durations are in seconds.

    `advertised_urls` is what enrolment keys and discovery name; empty means made of the bound
    address. `database_url` empty means SQLite in `data_dir`. `tls_cert` and `tls_key` are both or
    neither; neither means a self-signed certificate in `data_dir`, made at first start.
    """

    data_dir: Annotated[
        str, says("Directory of database, artifacts, keys; 0700, made if missing.")
    ] = "/var/lib/standfast/coordinator"
    api_host: Annotated[str, says("Address that the API and the agents' link listen on.")] = (
        "127.0.0.1"
    )
    api_port: Annotated[Port, says("TCP port of the API and the agents' link.")] = 4748
    advertised_urls: Annotated[
        tuple[str, ...],
        says("URLs that enrolment keys and discovery name; empty: made of address and port."),
    ] = ()
    database_url: Annotated[str, says("Empty: SQLite in `data_dir`. Only sqlite:// so far.")] = ""
    tls_enabled: Annotated[bool, says("Speak TLS; off only behind something that does.")] = True
    tls_cert: Annotated[
        str | None, says("PEM certificate; with `tls_key`, or neither: self-signed at first start.")
    ] = None
    tls_key: Annotated[str | None, says("PEM private key of `tls_cert`.")] = None
    session_token_expiry_secs: Annotated[
        int, msgspec.Meta(ge=60, le=86_400, description="Life of a log-in, 60 to 86,400 seconds.")
    ] = 3_600
    # A person needs two log-ins in a minute, a script of ten hosts twenty.
    auth_requests_per_minute: Annotated[
        Positive, says("Log-in requests of one address in a minute; more are answered 429.")
    ] = 60
    audit_retention_days: Annotated[
        int,
        msgspec.Meta(
            ge=0,
            le=36_500,
            description="Days that events are kept, if no admin decided otherwise; 0: for ever.",
        ),
    ] = 90
    public_enrollment_key_enabled: Annotated[
        bool,
        says("Give anybody who asks an enrolment key for one host, which then waits for approval."),
    ] = False
    discovery_port: Annotated[
        int,
        msgspec.Meta(ge=1, le=65_535, description="UDP port that discovery datagrams are sent to."),
    ] = 4_747
    log_level: Annotated[
        str,
        msgspec.Meta(
            pattern="^(debug|info|warning|error)$", description="debug, info, warning or error."
        ),
    ] = "info"

    def urls(self) -> tuple[str, ...]:
        """Return the URLs under which agents reach this coordinator."""
        if self.advertised_urls:
            return self.advertised_urls
        host = f"[{self.api_host}]" if ":" in self.api_host else self.api_host
        return (f"{'https' if self.tls_enabled else 'http'}://{host}:{self.api_port}",)


def parse(text: str, source: str, overrides: dict[str, object]) -> CoordinatorConfig:
    """Return the settings that a TOML text holds, with command-line overrides on top.

    Raises:
        ConfigError: not TOML, an unknown key, a value outside its range, settings that contradict
            each other; all of them are listed.
    """
    try:
        data: dict[str, object] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: not TOML: {error}") from error
    problems = [f"{source}: {problem}" for problem in _unknown(data)]
    values = {**data, **overrides}
    problems += _wrong_values(values, source, overrides)
    if problems:
        raise ConfigError("\n".join(problems))
    config = msgspec.convert(values, CoordinatorConfig)
    contradictions = _contradictions(config)
    if contradictions:
        raise ConfigError("\n".join(f"{source}: {problem}" for problem in contradictions))
    return config


def _unknown(data: dict[str, object]) -> list[str]:
    known = CoordinatorConfig.__struct_fields__
    problems: list[str] = []
    for key in data:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
            problems.append(f"unknown key {key!r}{hint}")
    return problems


def _wrong_values(
    values: dict[str, object], source: str, overrides: dict[str, object]
) -> list[str]:
    problems: list[str] = []
    for key in CoordinatorConfig.__struct_fields__:
        if key in values:
            try:
                msgspec.convert({key: values[key]}, CoordinatorConfig)
            except msgspec.ValidationError as error:
                origin = f"--{key.replace('_', '-')}" if key in overrides else f"{source}: {key}"
                problems.append(f"{origin}: {str(error).split(' - at ')[0]}")
    return problems


def _contradictions(config: CoordinatorConfig) -> list[str]:
    problems: list[str] = []
    if (config.tls_cert is None) != (config.tls_key is None):
        problems.append("tls_cert and tls_key belong together: give both or neither")
    if not config.tls_enabled and config.tls_cert is not None:
        problems.append("tls_cert is given but tls_enabled is false")
    problems.extend(
        f"advertised_urls: {url!r} must begin with https:// or http://"
        for url in config.advertised_urls
        if not url.startswith(("https://", "http://"))
    )
    return problems
