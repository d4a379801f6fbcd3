"""The exceptions of all packages: who broke what. Expected refusals are values, not exceptions.

A refusal that a peer or an operator must understand is a `Refused` value with a `Reason`
(see `protocol.reasons`); an exception here is for bad input and for the outside world.
"""

from __future__ import annotations

import msgspec

# What decoding somebody's bytes with msgspec may raise: besides its own errors, bad UTF-8 in a
# string and nesting without end. Catch all three wherever the bytes are not our own.
MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class StandfastError(Exception):
    """The parent of every error that Standfast raises on purpose; its text is fit for a user."""


class LocalProtocolError(StandfastError):
    """Our own side asked the protocol for something that is not allowed in its state."""


class RemoteProtocolError(StandfastError):
    """The peer sent something that the protocol does not allow."""


class DecodeError(StandfastError):
    """Bytes or text that should hold a value do not; the text says where and what was expected."""


class InvalidName(StandfastError):  # noqa: N818  # it names the fault as people say it
    """A name, id or key breaks the rule for its kind; the text says the rule."""
