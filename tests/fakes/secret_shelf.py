"""The secrets family of a coordinator in memory: it keeps what it is brought."""

from __future__ import annotations

import base64

import msgspec

from protocol import dsse, handshake, ids, keys, node_statement, sealing, secrets
from protocol.api_secrets import (
    CreateSecretRequest,
    Recipient,
    RestrictSecretRequest,
    SealedBody,
    SealedCopy,
    Secret,
    SecretDetail,
    SecretHost,
    UpdateSecretRequest,
    WrapsRequest,
)
from protocol.node_statement import NodeStatement
from tests.fakes.api_server import FakeCoordinator, Reply, Request, problem

BASE = "/api/v1"


class Host:
    """A host whose keys the test holds, so that it can open what was sealed to it."""

    def __init__(self, number: int, name: str) -> None:
        self.key = keys.SigningKey(bytes([number]) * 32)
        self.sealing = sealing.SealingKey(bytes([number + 100]) * 32)
        self.node_id = ids.node_id(self.key.public)
        self.name = name

    def vouched(self, signer: keys.SigningKey, **tags: str) -> dsse.Envelope:
        """What an operator signs about this host."""
        statement = NodeStatement(
            1, 1, self.node_id, self.key.public.hex(), self.name, ids.DEFAULT_SCOPE, tags, 1
        )
        payload = node_statement.encode(statement)
        return dsse.sign(dsse.NODE, payload, signer, ids.operator_id(signer.public))

    def recipient(self, statement: dsse.Envelope | None) -> Recipient:
        """What a coordinator shows of it."""
        return Recipient(
            self.node_id,
            self.name,
            self.key.public.hex(),
            self.sealing.public.hex(),
            handshake.sign_sealing_key(self.key, self.sealing.public).hex(),
            statement,
        )


class Shelf:
    """Secrets by name; `recipients` are the hosts that the coordinator claims."""

    def __init__(self, coordinator: FakeCoordinator) -> None:
        self.bodies: dict[str, SealedBody] = {}
        self.descriptions: dict[str, str | None] = {}
        self.delivered: dict[str, int] = {}
        self.recipients: list[Recipient] = []
        self.reader = ""
        self._next = coordinator.fallback
        coordinator.fallback = self.answer
        coordinator.on("GET", "/secrets", self.answer)

    def opened(self, name: str, host: Host) -> str:
        """Return a secret as a host opens it."""
        body = self.bodies[name]
        document = secrets.decode(body.envelope)
        ciphertext = base64.b64decode(body.ciphertext)
        wrapped = base64.b64decode(body.wraps[host.node_id])
        return secrets.open_value(document, ciphertext, wrapped, host.sealing, host.node_id)

    def answer(self, request: Request) -> Reply:
        """Answer a request of the family."""
        path = request.path.removeprefix(BASE)
        if path == "/secret-recipients":
            return Reply(self.recipients)
        if not path.startswith("/secrets"):
            return self._next(request)
        name, _, rest = path.removeprefix("/secrets").strip("/").partition("/")
        if not name:
            return self._family(request)
        if name not in self.bodies:
            return problem(404, "not_found", f"there is no secret {name!r}")
        return self._one(request, name, rest)

    def _family(self, request: Request) -> Reply:
        if request.method == "GET":
            return Reply([self._seen(name) for name in self.bodies])
        asked = msgspec.json.decode(request.body, type=CreateSecretRequest)
        assert asked.sealed is not None
        self.bodies[asked.name] = asked.sealed
        self.descriptions[asked.name] = asked.description
        return Reply(self._seen(asked.name), 201)

    def _one(self, request: Request, name: str, rest: str) -> Reply:
        match request.method, rest:
            case "GET", "":
                return Reply(self._detail(name))
            case "GET", "sealed":
                body = self.bodies[name]
                wrapped = body.wraps.get(self.reader)
                return Reply(SealedCopy(body.envelope, body.ciphertext, wrapped))
            case "DELETE", "":
                del self.bodies[name]
                return Reply(raw=b"", status=204)
            case "PUT", "":
                update = msgspec.json.decode(request.body, type=UpdateSecretRequest)
                if isinstance(update.description, str | None):
                    self.descriptions[name] = update.description
                if update.sealed is not None:
                    self._take(name, update.sealed)
            case "POST", "restriction":
                asked = msgspec.json.decode(request.body, type=RestrictSecretRequest)
                self._take(name, asked.sealed)
            case "POST", "wraps":
                more = msgspec.json.decode(request.body, type=WrapsRequest)
                body = self.bodies[name]
                wraps = {**body.wraps, **more.wraps}
                self.bodies[name] = msgspec.structs.replace(body, wraps=wraps)
            case _:
                return problem(404, "not_found", rest)
        return Reply(self._seen(name))

    def _take(self, name: str, sealed: SealedBody) -> None:
        ciphertext = sealed.ciphertext or self.bodies[name].ciphertext
        self.bodies[name] = msgspec.structs.replace(sealed, ciphertext=ciphertext)

    def _seen(self, name: str) -> Secret:
        document = secrets.decode(self.bodies[name].envelope)
        return Secret(
            name,
            "2026-01-01T00:00:00Z",
            "lena",
            "2026-01-01T00:00:00Z",
            "lena",
            self.descriptions.get(name),
            document.restriction,
            None,
            document.version,
            document.revision,
            document.scope,
            len(self.bodies[name].wraps),
        )

    def _detail(self, name: str) -> SecretDetail:
        body = self.bodies[name]
        version = secrets.decode(body.envelope).version
        hosts = tuple(
            SecretHost(one.node_id, one.name, one.node_id in body.wraps, given, given < version)
            for one in self.recipients
            if (given := self.delivered.get(one.node_id, 0)) or one.node_id in body.wraps
        )
        seen = msgspec.structs.asdict(self._seen(name))
        return SecretDetail(
            **seen, envelope=body.envelope, sealed_to=tuple(sorted(body.wraps)), hosts=hosts
        )
