"""HTTP to one coordinator: bounded answers, pinned TLS, and errors that say what to do.

It knows nothing of what the requests mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import httpx
import msgspec

from client.certificate import WrongCertificateError, pinned_context
from client.failures import (
    AuthError,
    ClientError,
    NotFoundError,
    RejectedError,
    UnreachableError,
    UntrustedError,
)
from protocol.api import ErrorResponse
from protocol.limits import MAX_ARTIFACT

# The largest answer is a run with one artifact inlined; JSON text doubles at worst.
MAX_ANSWER = 2 * MAX_ARTIFACT
CONNECT_SECONDS = 10.0
# A coordinator answers everything at once or with 202, a wait for a plan takes at most 30 s.
READ_SECONDS = 60.0
# What is not there, as the coordinator words it, and the command that shows what is.
LISTS = {
    "no module ": "standfast modules list",
    "no artifact ": "standfast artifacts list",
    "no run ": "standfast runs list",
    "no operation ": "standfast state list",
    "no drift record ": "standfast state drift-list",
    "no enrollment key ": "standfast enrol-key list",
}


class Answer(msgspec.Struct, frozen=True):
    """A successful answer: its status, headers by lower-case name, and whole body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Transport:
    """Requests to one address; owns its connections, `close` gives them back."""

    def __init__(self, url: str, fingerprint: str) -> None:
        self.url = url
        verify = pinned_context(fingerprint) if url.startswith("https:") else True
        timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
        # trust_env: a proxy or a .netrc of the environment must never see a token of ours.
        self._client = httpx.Client(
            base_url=url, verify=verify, timeout=timeout, trust_env=False, follow_redirects=False
        )

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer to a request.

        Raises:
            AuthError, NotFoundError, RejectedError: the coordinator said no.
            UntrustedError: the server is not the pinned one.
            UnreachableError: there is no answer, or none of a coordinator.
        """
        sent = dict(headers or {})
        if body is not None:
            sent.setdefault("content-type", "application/json")
        try:
            with self._client.stream(
                method, path, content=body, params=dict(params or {}), headers=sent
            ) as response:
                content = _read(response)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if not response.is_success:
            raise self._refusal(response.status_code, content, f"{method} {path}")
        return Answer(response.status_code, dict(response.headers.items()), content)

    def _unreachable(self, error: httpx.HTTPError) -> ClientError:
        wrong = _cause(error, WrongCertificateError)
        if isinstance(wrong, WrongCertificateError):
            return UntrustedError(
                f"{self.url} shows another TLS certificate than the pinned one",
                where=f"it shows sha256:{wrong.found}",
                next_command="compare it with `standfast-coordinator show-key` on its host; only if"
                " it is the same: standfast profile update NAME --accept-new-certificate",
                code="certificate_changed",
            )
        if isinstance(error, httpx.TimeoutException):
            what = f"{self.url} did not answer in time ({type(error).__name__})"
            return UnreachableError(what, next_command="standfast status", code="timeout")
        return UnreachableError(
            f"cannot talk to {self.url}: {_plain(error)}",
            next_command="look whether standfast-coordinator runs there, and at the address: "
            "standfast profile list",
            code="unreachable",
        )

    def _refusal(self, status: int, content: bytes, where: str) -> ClientError:
        try:
            decoded = msgspec.json.decode(content, type=ErrorResponse)
        except msgspec.MsgspecError:
            return UnreachableError(
                f"{self.url} answered {where} with status {status}, not as a coordinator does",
                next_command="standfast profile list",
                code="not_a_coordinator",
            )
        error = decoded.error
        lines = [error.message]
        for field, problems in (error.details or {}).items():
            # The message often quotes the first problem; once is enough.
            fresh = [problem for problem in problems if problem not in error.message]
            lines.extend(f"{field}: {problem}" for problem in fresh)
        message = "\n".join(lines)
        noted = f"{where}, request {decoded.meta.request_id}"
        if status == HTTPStatus.UNAUTHORIZED:
            return AuthError(message, where=noted, code=error.code)
        known = error.next or ""
        if status == HTTPStatus.FORBIDDEN:
            return AuthError(
                message, where=noted, next_command="standfast operator whoami", code=error.code
            )
        if status == HTTPStatus.NOT_FOUND:
            following = next((LISTS[kind] for kind in LISTS if kind in error.message), "")
            return NotFoundError(message, where=noted, code=error.code, next_command=following)
        return RejectedError(
            message, status=status, code=error.code, where=noted, next_command=known
        )


def _read(response: httpx.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    for part in response.iter_bytes():
        size += len(part)
        if size > MAX_ANSWER:
            raise UnreachableError(f"the answer is longer than {MAX_ANSWER} bytes", code="too_long")
        parts.append(part)
    return b"".join(parts)


def _cause(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    current: BaseException | None = error
    # A chain of causes has a handful of links; the bound keeps a circular one from hanging us.
    for _ in range(16):
        if current is None or isinstance(current, kind):
            return current
        current = current.__cause__ or current.__context__
    return None


def _plain(error: httpx.HTTPError) -> str:
    found = _cause(error, OSError)
    if isinstance(found, OSError) and found.strerror:
        return found.strerror.lower()
    return str(error) or type(error).__name__
