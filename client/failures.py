"""What can go wrong for the person at the terminal: what, where, the next command, an exit code.

Only exceptions and exit codes live here; printing them is the business of `cli.main`.
"""

from __future__ import annotations

import enum

from protocol.errors import StandfastError


class ExitCode(enum.IntEnum):
    """The exit codes of `standfast`; `PENDING` is used only with --detailed-exitcode."""

    OK = 0
    ERROR = 1
    USAGE = 2
    AUTH = 3
    NOT_FOUND = 4
    RESOURCE_FAILED = 5
    PENDING = 6
    INTERRUPTED = 130


class ClientError(StandfastError):
    """Something did not work; `next_command` is what to type, `code` is a stable word."""

    exit_code = ExitCode.ERROR

    def __init__(
        self, message: str, *, where: str = "", next_command: str = "", code: str = "error"
    ) -> None:
        super().__init__(message)
        self.where = where
        self.next_command = next_command
        self.code = code


class BadUsageError(ClientError):
    """The command line cannot be carried out as it stands."""

    exit_code = ExitCode.USAGE


class AuthError(ClientError):
    """The coordinator does not know or does not allow this operator."""

    exit_code = ExitCode.AUTH


class UntrustedError(ClientError):
    """The other side is not who it was, or what it says does not add up; nothing was signed."""

    exit_code = ExitCode.AUTH


class NotFoundError(ClientError):
    """Nothing has that id or name."""

    exit_code = ExitCode.NOT_FOUND


class UnreachableError(ClientError):
    """The coordinator could not be reached, or did not answer as one."""


class RejectedError(ClientError):
    """The coordinator refused a request; `status` is the HTTP status of the answer."""

    def __init__(
        self, message: str, *, status: int, code: str, where: str = "", next_command: str = ""
    ) -> None:
        super().__init__(message, where=where, next_command=next_command, code=code)
        self.status = status
