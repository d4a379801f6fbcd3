"""A module file on its way to the coordinator: its exact bytes, signed by the operator.

The language is not known here: the coordinator and `standfast-state validate` say what is wrong.
"""

from __future__ import annotations

import re
from pathlib import Path

from client.failures import BadUsageError, ClientError, RejectedError, UntrustedError
from client.operator_key import operator_id
from client.session import Session
from protocol import dsse
from protocol.api import Module, UploadModuleRequest
from protocol.limits import MAX_MODULE
from protocol.reports import content_digest

# The one field that the request needs beside the content; the coordinator checks it for real.
_NAME = re.compile(
    r"^name:[ \t]*(?P<quote>[\"']?)(?P<name>[^\"'#\s]+)(?P=quote)[ \t\r]*(?:#.*)?$", re.MULTILINE
)


def upload_file(session: Session, path: str) -> Module:
    """Sign a module file and store it; the answer is the version that was sent.

    Raises:
        BadUsageError: no such file, or none that can be a module.
        ClientError: the coordinator found faults; the message names file and lines.
        UntrustedError: it stored something else.
    """
    content = read_module(path)
    name = module_name(path, content)
    envelope = dsse.sign(dsse.MODULE, content.encode(), session.key, operator_id(session.key))
    try:
        stored = session.api.upload_module(UploadModuleRequest(name, content, envelope))
    except RejectedError as error:
        raise ClientError(
            f"{path}: {error}",
            where=error.where,
            next_command=f"standfast-state validate {path}",
            code=error.code,
        ) from error
    if stored.sha256 and stored.sha256 != content_digest(content.encode()):
        raise UntrustedError(
            f"{path} was stored with other content than was sent",
            next_command="look at who can write to the coordinator",
            code="module_changed",
        )
    return stored


def read_module(path: str) -> str:
    """Return a module file's text.

    Raises:
        BadUsageError: it cannot be read, is too long, or is not UTF-8.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_MODULE + 1)
    except OSError as error:
        raise BadUsageError(
            f"cannot read {path}: {error.strerror}", code="file_unreadable"
        ) from error
    if len(data) > MAX_MODULE:
        raise BadUsageError(f"{path} is longer than {MAX_MODULE} bytes, the most a module may have")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadUsageError(f"{path}:{line}: not UTF-8") from error


def module_name(path: str, content: str) -> str:
    """Return the module's name as its file says it.

    Raises:
        BadUsageError: it says none.
    """
    found = _NAME.search(content)
    if found is None:
        raise BadUsageError(
            f"{path}: there is no line `name: NAME`",
            next_command=f"standfast-state validate {path}",
            code="module_invalid",
        )
    return found["name"]
