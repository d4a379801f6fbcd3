"""POST /discover: tell waiting hosts where this coordinator is, by one signed datagram."""

from __future__ import annotations

import os
import socket

import anyio
from litestar import Response, post
from litestar.params import JSONBody

from coordinator.api.calls import Caller, accept, refuse
from coordinator.api.documented import Creating
from coordinator.api.problems import documented
from coordinator.domain import discover
from coordinator.domain.discover import Target
from protocol import api
from protocol.discovery import NONCE_SIZE

# A resolver that does not answer within this is as good as none.
_RESOLVE_SECONDS = 5.0


@post(
    "/discover",
    status_code=200,
    media_type="text/plain",
    tags=["status"],
    summary="Announce the coordinator",
    operation_class=Creating,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "conflict", "payload_too_large", "unavailable"
    ),
)
async def announce(call: Caller, data: JSONBody[api.DiscoverRequest]) -> Response[bytes]:
    """Send the datagram once: to the local network, or to one `host:port`."""
    context = call.context
    target = accept(discover.target(data.target, context.config.discovery_port))
    datagram = accept(
        discover.datagram(
            context.identity,
            context.config.urls(),
            context.tls_fingerprint,
            context.clock(),
            os.urandom(NONCE_SIZE),
        )
    )
    family, address = await _resolve(target)
    try:
        _send(family, address, datagram, broadcast=target.broadcast)
    except OSError as error:
        text = error.strerror or type(error).__name__
        raise refuse("unavailable", f"the datagram could not be sent: {text}") from error
    # The published answer is empty.
    return Response(b"", media_type="text/plain")


async def _resolve(target: Target) -> tuple[socket.AddressFamily, tuple[str, int]]:
    try:
        with anyio.fail_after(_RESOLVE_SECONDS):
            found = await anyio.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise refuse("bad_request", f"{target.host} has no address") from error
    family, _, _, _, address = found[0]
    return family, (str(address[0]), int(address[1]))


def _send(
    family: socket.AddressFamily, address: tuple[str, int], datagram: bytes, *, broadcast: bool
) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as channel:
        # One datagram fits every send buffer; a full one is an error to report, not to wait for.
        channel.setblocking(False)
        if broadcast:
            channel.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        channel.sendto(datagram, address)


routes = (announce,)
