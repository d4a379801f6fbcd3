"""`standfast-coordinator`: init, run, keys. Builds the parts, hands them to the web server."""

from __future__ import annotations

import json
import signal
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from coordinator import identity, key_rotation, no_cores
from coordinator.clock import read_clock
from coordinator.config import ConfigError, CoordinatorConfig, parse
from coordinator.identity import TlsFiles
from protocol import dsse, ids
from protocol.errors import DecodeError, StandfastError
from protocol.keys import SigningKey
from protocol.version import VERSION

CONFIG_FILE = Path("/etc/standfast/coordinator.toml")
DATABASE_FILE = "coordinator.db"
# A roster file: 512 versions of at most 60 KiB would be 30 MiB; a real one has a few.
MAX_ROSTER_FILE = 33_554_432

_config_option = click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help=f"TOML file [{CONFIG_FILE}]."
)
_data_option = click.option("--data-dir", type=click.Path(path_type=Path), help="Data directory.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="standfast-coordinator", message="%(prog)s %(version)s")
def main() -> None:
    """Store what operators approved and what came of it, and serve the API."""


@main.command()
@_config_option
@_data_option
@click.option("--roster", "roster_file", type=click.Path(path_type=Path), help="Signed roster.")
@click.option("--operator-key", help="Public key (hex) of the first operator, without a roster.")
@click.option("--username", help="Name of the first operator, with --operator-key.")
def init(
    config_file: Path | None,
    data_dir: Path | None,
    roster_file: Path | None,
    operator_key: str | None,
    username: str | None,
) -> None:
    """Make the data directory, the keys, and the first operators."""
    if (roster_file is None) == (operator_key is None):
        raise click.UsageError("give either --roster FILE or --operator-key HEX with --username")
    if (operator_key is None) != (username is None):
        raise click.UsageError("--operator-key and --username belong together")
    config = _load(config_file, data_dir)
    try:
        chain = _read_roster(roster_file) if roster_file is not None else ()
        public = ids.check_hex64(operator_key, "--operator-key") if operator_key else b""
        name = ids.check_name(username) if username else ""
        key, tls = _first_keys(config)
        _first_operators(config, chain, public, name)
    except (StandfastError, OSError) as error:
        _fail(error)
    click.echo(f"data directory  {config.data_dir}")
    _show(key, tls)


@main.command("show-key")
@_config_option
@_data_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_key(config_file: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Print the public key and fingerprints; no secret."""
    config = _load(config_file, data_dir)
    try:
        identity.prepare_directory(Path(config.data_dir))
        key, tls = identity.load_key(Path(config.data_dir)), _tls(config)
    except (StandfastError, OSError) as error:
        _fail(error)
    if not as_json:
        _show(key, tls)
        return
    fingerprint = tls.fingerprint if tls is not None else ""
    shown = {
        "public_key": key.public.hex(),
        "fingerprint": ids.fingerprint(key.public),
        "tls_fingerprint": fingerprint,
    }
    click.echo(json.dumps(shown))


@main.command("rotate-key")
@_config_option
@_data_option
def rotate_key(config_file: Path | None, data_dir: Path | None) -> None:
    """Replace the signing key by one that the old one names; hosts and clients follow.

    Restart the coordinator afterwards: one that runs goes on with the old key. Enrolment keys that
    were made before still work. The TLS certificate stays.
    """
    config = _load(config_file, data_dir)
    try:
        identity.prepare_directory(Path(config.data_dir))
        key = key_rotation.rotate(Path(config.data_dir), read_clock())
    except (StandfastError, OSError) as error:
        _fail(error)
    _show(key, None)
    click.echo("next: restart the coordinator; hosts and clients follow by themselves")


@main.command("roster")
@_config_option
@_data_option
@click.option("--take", type=click.Path(path_type=Path), help="Take the next version from here.")
def show_roster(config_file: Path | None, data_dir: Path | None, take: Path | None) -> None:
    """Print the roster's whole chain as JSON, or take a version that was signed elsewhere.

    That is the way when nobody can log in any more: hosts take it if its signatures hold. Stop the
    coordinator before you take one.
    """
    import msgspec

    from coordinator.domain import roster
    from coordinator.domain.refusals import Refusal
    from coordinator.store.database import Store

    config = _load(config_file, data_dir)
    try:
        chain = _read_roster(take) if take is not None else ()
        store = Store.open(database_url(config), clock=read_clock, inline=True)
        taken = store.write_now(lambda tx: roster.take(tx, chain)) if chain else None
    except (StandfastError, OSError) as error:
        _fail(error)
    if isinstance(taken, Refusal):
        _fail(ConfigError(f"{taken.message} ({taken.code})"))
    if taken is not None:
        click.echo(f"version {taken.roster.version} is in force: sha256:{taken.digest}")
        return
    found = store.read_now(roster.whole_chain)
    click.echo(msgspec.json.encode(found).decode())


@main.command()
@_config_option
@_data_option
def restored(config_file: Path | None, data_dir: Path | None) -> None:
    """Say that the database was put back from a copy, before the coordinator is started again.

    What hosts have proved since that copy was made is not in it: without this word each of them
    would be taken for a clone of itself.
    """
    config = _load(config_file, data_dir)
    from coordinator.domain import clones
    from coordinator.store.database import Store

    try:
        store = Store.open(database_url(config), clock=read_clock, inline=True)
        count = store.write_now(clones.forget_all)
    except (StandfastError, OSError) as error:
        _fail(error)
    click.echo(f"{count} hosts prove themselves anew with their next link")


@main.command()
@_config_option
@_data_option
@click.option("--api-host", help="Address to bind.")
@click.option("--api-port", type=int, help="Port to bind; 0 takes a free one.")
@click.option("--no-tls", is_flag=True, help="Plain HTTP: only behind a proxy that ends TLS.")
@click.option("--tls-cert", help="Certificate file (PEM).")
@click.option("--tls-key", help="Key file (PEM).")
@click.option("--advertise", multiple=True, help="URL for enrolment keys; may be repeated.")
def run(
    config_file: Path | None,
    data_dir: Path | None,
    api_host: str | None,
    api_port: int | None,
    no_tls: bool,
    tls_cert: str | None,
    tls_key: str | None,
    advertise: tuple[str, ...],
) -> None:
    """Serve until SIGTERM."""
    given: dict[str, object] = {
        "api_host": api_host,
        "api_port": api_port,
        "tls_enabled": False if no_tls else None,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "advertised_urls": list(advertise) or None,
    }
    config = _load(config_file, data_dir, given)
    # The server gives the signal back to us after an orderly end: that end is no failure.
    signal.signal(signal.SIGTERM, _ended)
    from coordinator import serving

    no_cores.forbid()
    directory = Path(config.data_dir)
    try:
        identity.prepare_directory(directory)
        key_rotation.complete(directory)
        key, tls = identity.load_key(directory), _tls(config)
        rotations = key_rotation.statements(directory)
        serving.serve(config, key, tls, database_url(config), rotations)
    except (StandfastError, OSError) as error:
        _fail(error)


def database_url(config: CoordinatorConfig) -> str:
    """Return where the store is: as configured, or SQLite in the data directory."""
    return config.database_url or f"sqlite:///{Path(config.data_dir).absolute() / DATABASE_FILE}"


def _first_keys(config: CoordinatorConfig) -> tuple[SigningKey, TlsFiles | None]:
    directory = Path(config.data_dir)
    identity.prepare_directory(directory)
    fresh = not (directory / identity.KEY_FILE).exists()
    key = identity.create_key(directory) if fresh else identity.load_key(directory)
    return key, _tls(config)


def _first_operators(
    config: CoordinatorConfig, chain: tuple[dsse.Envelope, ...], public: bytes, username: str
) -> None:
    from coordinator.domain import operators, roster
    from coordinator.domain.refusals import Refusal
    from coordinator.store.database import Store, Tx

    def job(tx: Tx) -> None:
        held = roster.current(tx)
        if chain and held is not None and held.envelope == chain[-1]:
            return
        made = roster.start_with(tx, chain) if chain else operators.bootstrap(tx, public, username)
        if isinstance(made, Refusal):
            # Raised inside the transaction, so that nothing half-done stays.
            raise ConfigError(made.message)

    store = Store.open(database_url(config), clock=read_clock, inline=True)
    store.write_now(job)


def _read_roster(path: Path) -> tuple[dsse.Envelope, ...]:
    import msgspec

    data = path.read_bytes()
    if len(data) > MAX_ROSTER_FILE:
        raise ConfigError(f"{path} is no roster: it has more than {MAX_ROSTER_FILE} bytes")
    try:
        if data.lstrip().startswith(b"["):
            return msgspec.json.decode(data, type=tuple[dsse.Envelope, ...])
        return (dsse.decode(data),)
    except (msgspec.MsgspecError, DecodeError) as error:
        raise ConfigError(f"{path} holds no signed roster: {error}") from error


def _tls(config: CoordinatorConfig) -> TlsFiles | None:
    if not config.tls_enabled:
        return None
    if config.tls_cert is not None and config.tls_key is not None:
        return identity.load_tls(Path(config.tls_cert), Path(config.tls_key))
    names = dict.fromkeys(("localhost", "127.0.0.1", "::1", socket.gethostname(), config.api_host))
    hosts = (url.partition("://")[2].rstrip("/") for url in config.advertised_urls)
    names.update(dict.fromkeys(host.rsplit(":", 1)[0].strip("[]") for host in hosts))
    usable = tuple(name for name in names if name.isascii() and name not in {"", "0.0.0.0", "::"})  # noqa: S104 - a wildcard is left out of the certificate, not bound
    return identity.own_tls(Path(config.data_dir), usable, read_clock())


def _load(
    config_file: Path | None, data_dir: Path | None, given: dict[str, object] | None = None
) -> CoordinatorConfig:
    overrides = {name: value for name, value in (given or {}).items() if value is not None}
    if data_dir is not None:
        overrides["data_dir"] = str(data_dir)
    path = config_file or CONFIG_FILE
    try:
        text = path.read_text() if config_file is not None or path.exists() else ""
        return parse(text, str(path), overrides)
    except (ConfigError, OSError, UnicodeDecodeError) as error:
        _fail(error)


def _ended(number: int, frame: FrameType | None) -> None:
    del number, frame


def _show(key: SigningKey, tls: TlsFiles | None) -> None:
    click.echo(f"public key      {key.public.hex()}")
    click.echo(f"fingerprint     {ids.fingerprint(key.public)}")
    if tls is not None:
        click.echo(f"TLS fingerprint {tls.fingerprint}")


def _fail(error: Exception) -> NoReturn:
    click.echo(f"standfast-coordinator: {_in_words(error)}", err=True)
    sys.exit(1)


def _in_words(error: Exception) -> str:
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    text = error.strerror or str(error)
    return f"{error.filename}: {text.lower()}" if error.filename else text


if __name__ == "__main__":
    main()
