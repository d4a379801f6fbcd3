"""The global options, understood before and after a command's name alike.

A command gets its `Session` from here; nothing of the client is imported until it asks.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from client.session import Session

_KEY = "standfast.globals"
# Longer than any first sentence of a command's help.
SENTENCE = 400


class _Given:
    """The global options of one command line, as far as they have been read."""

    def __init__(self) -> None:
        self.profile: str | None = None
        self.url: str | None = None
        self.config_dir: str | None = None
        self.as_json = False
        self.no_color = False


def settings_of(ctx: click.Context) -> _Given:
    """Return the global options of a command line."""
    held: object = ctx.find_root().meta.setdefault(_KEY, _Given())
    if not isinstance(held, _Given):
        raise TypeError(_KEY)
    return held


def _profile(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value:
        settings_of(ctx).profile = value


def _url(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value:
        settings_of(ctx).url = value


def _config_dir(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value:
        settings_of(ctx).config_dir = value


def _json(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        settings_of(ctx).as_json = True


def _no_color(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        settings_of(ctx).no_color = True


_Callback = (
    Callable[[click.Context, click.Parameter, str | None], None]
    | Callable[[click.Context, click.Parameter, bool], None]
)


def _options(own: set[str]) -> Iterator[click.Option]:
    # `profile create --url` has a --url of its own: a command's own option wins.
    table: tuple[tuple[str, str, bool, _Callback], ...] = (
        ("--profile", "The coordinator's profile to use.", False, _profile),
        ("--url", "The coordinator's address, in place of the profile's.", False, _url),
        ("--config-dir", "Where keys, profiles and pins are kept.", False, _config_dir),
        ("--json", "Answer with one JSON document.", True, _json),
        ("--no-color", "No colour on a terminal.", True, _no_color),
    )
    for name, text, is_flag, callback in table:
        if name not in own:
            yield click.Option(
                [name],
                is_flag=is_flag,
                help=text,
                expose_value=False,
                callback=callback,
            )


class GlobalCommand(click.Command):
    """A command that understands the global options after its name too."""

    _shared: list[click.Option] | None = None

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return its own options and the global ones."""
        params = super().get_params(ctx)
        if self._shared is None:
            self._shared = list(_options({name for param in params for name in param.opts}))
        return [*params, *self._shared]


class GlobalGroup(click.Group):
    """A group whose commands, and itself, understand the global options."""

    command_class: type[click.Command] | None = GlobalCommand
    _shared: list[click.Option] | None = None

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return its own options and the global ones."""
        params = super().get_params(ctx)
        if self._shared is None:
            self._shared = list(_options({name for param in params for name in param.opts}))
        return [*params, *self._shared]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their first sentences, wrapped and not cut off."""
        rows: list[tuple[str, str]] = []
        for name in self.list_commands(ctx):
            found = self.get_command(ctx, name)
            if found is not None and not found.hidden:
                rows.append((name, found.get_short_help_str(limit=SENTENCE)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@contextmanager
def opened(ctx: click.Context) -> Generator[Session]:
    """Open the session of a command line and close it at the end."""
    from client.session import Session, Settings

    given = settings_of(ctx)
    session = Session(
        Settings(given.profile, given.url, given.config_dir, given.as_json, given.no_color)
    )
    try:
        yield session
    finally:
        session.close()


YES = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
NO_WAIT = click.option(
    "--no-wait", is_flag=True, help="Sign and leave; `standfast runs show RUN` tells the rest."
)
WAIT = click.option(
    "--wait",
    type=click.IntRange(0, 3_600),
    default=0,
    metavar="SECONDS",
    help="Wait at most so long until it is there; not at all if not given.",
)
DETAILED = click.option(
    "--detailed-exitcode", is_flag=True, help="Exit with 6 if there are changes or drift."
)
