"""A coordinator's API on a real loopback socket, honest unless a test makes it lie.

`ApiServer` answers by a script; `FakeCoordinator` fills it with hosts, plans, runs and a roster.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import msgspec

from protocol import (
    api,
    api_approvals,
    decisions,
    dsse,
    ids,
    journal,
    keys,
    login,
    receipts,
    reports,
    roster,
)
from protocol.messages import Finished, encode_body
from protocol.roster import TrustedRoster

if TYPE_CHECKING:
    from protocol.decisions import Decision

FAR = 4_000_000_000


class Request(msgspec.Struct, frozen=True):
    """What came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Reply(msgspec.Struct, frozen=True):
    """What goes out; `value` is sent as JSON, `raw` as it is."""

    value: object = None
    status: int = 200
    raw: bytes | None = None
    headers: dict[str, str] = {}


Handler = Callable[[Request], Reply]


def problem(status: int, code: str, message: str) -> Reply:
    """Return an error in the one shape of errors."""
    meta = api.Meta("req-1", "2026-01-01T00:00:00Z")
    return Reply(api.ErrorResponse(api.ErrorBody(code, message), meta), status)


class ApiServer:
    """A scripted server: `on` sets the answer of a method and path, `requests` is what came."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.url = ""
        self._handlers: dict[tuple[str, str], Handler] = {}
        self.fallback: Handler = lambda request: problem(404, "not_found", f"no {request.path}")

    def on(self, method: str, path: str, answer: Reply | Handler) -> None:
        """Answer a method and path (without `/api/v1`) so from now on."""
        made = answer if callable(answer) else lambda _request: answer
        self._handlers[method, f"/api/v1{path}"] = made

    def answer(self, request: Request) -> Reply:
        """Note a request and return its answer."""
        self.requests.append(request)
        return self._handlers.get((request.method, request.path), self.fallback)(request)

    def answer_ok(self, _request: Request) -> Reply:
        """Say yes to anything."""
        return Reply({})

    def sent(self, method: str, path: str) -> list[Request]:
        """Return the requests that came for a method and path."""
        full = f"/api/v1{path}"
        return [one for one in self.requests if (one.method, one.path) == (method, full)]

    @contextmanager
    def running(self, tls: ssl.SSLContext | None = None) -> Generator[ApiServer]:
        """Serve on a free loopback port."""
        outer = self

        class Connection(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20

            def handle_any(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {key.lower(): value for key, value in self.headers.items()}
                query = dict(parse_qsl(parts.query))
                reply = outer.answer(Request(self.command, parts.path, query, headers, body))
                data = reply.raw if reply.raw is not None else msgspec.json.encode(reply.value)
                self.send_response(reply.status)
                for key, value in reply.headers.items():
                    self.send_header(key, value)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any  # noqa: N815 - the library's names

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that turns away in the handshake is what some tests want."""

        server = Server(("127.0.0.1", 0), Connection)
        if tls is not None:
            server.socket = tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join(10)


def item(
    identity: str,
    action: reports.Action = "update",
    changes: tuple[reports.Change, ...] = (),
    **fields: str,
) -> reports.ResourceDiff:
    """Return a plan item whose digest is right."""
    state = hashlib.sha256(identity.encode()).hexdigest()
    bare = reports.ResourceDiff(
        fields.get("module", "web"),
        fields.get("type", "file-unix"),
        identity,
        action,
        changes=changes,
        message=fields.get("message"),
        desired=fields.get("desired", state),
        observed=state,
    )
    bound = action in {"create", "update", "remove", "run"}
    return msgspec.structs.replace(bare, digest=reports.item_digest(bare)) if bound else bare


def plan_of(node_id: str, *items: reports.ResourceDiff) -> reports.PlanResult:
    """Return a plan document whose digest is right."""
    return reports.PlanResult(
        node_id, ("web",), items, reports.PlanSummary(), reports.plan_digest(items)
    )


class FakeCoordinator(ApiServer):
    """An honest coordinator of a few hosts in memory; tests replace single answers by lies."""

    def __init__(self) -> None:
        super().__init__()
        self.identity = keys.SigningKey(b"\x07" * 32)
        self.chain: list[dsse.Envelope] = []
        self.agents: list[api.Agent] = []
        self.plans: dict[str, reports.PlanResult] = {}
        self.host_keys: dict[str, keys.SigningKey] = {}
        self.artifacts: dict[str, bytes] = {}
        self.runs: dict[str, api.Run] = {}
        self.decisions: list[Decision] = []
        self.statements: dict[str, dsse.Envelope] = {}
        self.outcome: api.StepPhase = "succeeded"
        self.bend: Callable[[api.Run], api.Run] = lambda run: run
        self._script()

    def add_host(
        self, name: str | None, *items: reports.ResourceDiff, status: str = "approved"
    ) -> str:
        """Add a host with its plan and return its id."""
        key = keys.SigningKey(hashlib.sha256(f"{name}{len(self.agents)}".encode()).digest())
        public = key.public
        node_id = ids.node_id(public)
        self.host_keys[node_id] = key
        approval = msgspec.convert(status, api.Approval)
        self.agents.append(
            api.Agent(
                node_id,
                name,
                f"{name}.example",
                "192.0.2.1",
                "0.1.0",
                approval,
                True,
                1_700_000_000,
                1_700_000_000,
                {"role": "web"},
                {"platform": "linux"},
                fingerprint=ids.fingerprint(public),
                public_key=public.hex(),
            )
        )
        self.plans[node_id] = plan_of(node_id, *items)
        holds = reports.AppliedSummary("web", "file-unix", "/etc/held")
        self.on("GET", f"/agents/{node_id}/state", Reply(reports.MachineState((holds,))))
        return node_id

    def trusted(self) -> TrustedRoster:
        """Return the roster held."""
        found = roster.verify_chain(None, None, tuple(self.chain))
        assert isinstance(found, TrustedRoster)
        return found

    def _script(self) -> None:
        key = self.identity.public.hex()
        self.on("GET", "/status", Reply(api.Status(1, "ok", key, "0.1.0")))
        self.on("POST", "/auth/challenge", Reply(api.ChallengeResponse("aa" * 32, "c1", key, 0)))
        self.on("POST", "/auth/challenge", self._challenge)
        self.on("POST", "/auth/verify", self._verify)
        self.on("GET", "/roster", self._roster)
        self.on("POST", "/roster", self._post_roster)
        self.on("GET", "/operators", lambda _request: Reply(self._operators()))
        self.on("GET", "/secrets", Reply([]))
        self.on("GET", "/agents", lambda _request: Reply(self.agents))
        self.on("POST", "/runs", self._create_run)
        self.on("GET", "/runs", lambda _request: Reply({"runs": list(self.runs.values())}))
        self.fallback = self._by_path

    def _challenge(self, _request: Request) -> Reply:
        moment = int(dt.datetime.now(dt.UTC).timestamp())  # noqa: TID251 - a real client's clock judges it
        self.expires_at = moment + 60
        key = self.identity.public.hex()
        return Reply(api.ChallengeResponse("aa" * 32, "c1", key, self.expires_at))

    def _verify(self, request: Request) -> Reply:
        asked = msgspec.json.decode(request.body, type=api.VerifyRequest)
        message = login.statement(self.identity.public.hex(), "c1", "aa" * 32, self.expires_at)
        if not keys.verify(
            bytes.fromhex(asked.public_key), bytes.fromhex(asked.signature), message
        ):
            return problem(401, "unauthorized", "wrong signature")
        return Reply(api.VerifyResponse("token-1", FAR))

    def _roster(self, request: Request) -> Reply:
        after = int(request.query.get("after", "0"))
        if not self.chain:
            return Reply(api.RosterResponse(0, "", ()))
        held = self.trusted()
        return Reply(
            api.RosterResponse(held.roster.version, held.digest, tuple(self.chain[after:]))
        )

    def _post_roster(self, request: Request) -> Reply:
        self.chain.append(msgspec.json.decode(request.body, type=api.RosterRequest).envelope)
        return Reply(api.RosterResponse(len(self.chain), self.trusted().digest, ()))

    def _operators(self) -> list[api.Operator]:
        if not self.chain:
            return []
        return [
            api.Operator(one.operator_id, one.username, one.role, 1_700_000_000, "init", False)
            for one in self.trusted().roster.operators
        ]

    def _create_run(self, request: Request) -> Reply:
        asked = msgspec.json.decode(request.body, type=api.RunRequest)
        run_id = ids.ulid(1_700_000_000 + len(self.runs), b"\x01" * 10)
        nodes = sorted(asked.nodes)
        digests = {node: self.plans[node].digest for node in nodes}
        applies = asked.step == "state.apply"
        root, proofs = decisions.plan_tree(digests)
        action = decisions.apply_action(root, asked.removal_limit)
        names = {agent.node_id: agent.name for agent in self.agents}
        steps = tuple(
            api.RunStep(
                node,
                names[node],
                "pending" if applies else "succeeded",
                run_id,
                plan_digest=digests[node] if applies else "",
                plan_proof=proofs[node] if applies else None,
                result=None if applies else msgspec.to_builtins(self.plans[node]),
                receipt=None if applies else self.signed_by(node, run_id),
            )
            for node in nodes
        )
        run = api.Run(
            run_id,
            asked.step,
            "waiting_approval" if applies else "completed",
            ids.DEFAULT_SCOPE,
            "2026-01-01T00:00:00Z",
            "lena",
            asked.modules,
            steps,
            plan_run_id=asked.plan_run_id,
            plan_root=root if applies else None,
            action_hash=decisions.canonical_hash(action) if applies else None,
            removal_limit=asked.removal_limit,
        )
        self.runs[run_id] = self.bend(run)
        return Reply(self.runs[run_id], 202)

    def signed_by(self, node_id: str, run_id: str) -> receipts.Receipt:
        """Return the host's signed word for its plan, the document stored as an artifact."""
        data = msgspec.json.encode(self.plans[node_id])
        name = reports.content_digest(data)
        self.artifacts[name] = data
        self.on("GET", f"/artifacts/{name}", Reply(raw=data))
        said = Finished(run_id, 1, "succeeded", name, self.plans[node_id].digest)
        key = self.host_keys[node_id]
        entry = journal.seal(1, journal.GENESIS, 1.0, "finished", encode_body(said), key)
        return receipts.make(entry, key.public)

    def _by_path(self, request: Request) -> Reply:
        parts = request.path.removeprefix("/api/v1/").split("/")
        run = self.runs.get(parts[1]) if parts[0] == "runs" and len(parts) > 1 else None
        if run is not None and request.method == "GET":
            return Reply(run)
        if run is not None and parts[2:] == ["decisions"]:
            return self._decide(run, request)
        if parts[0] == "agents" and parts[2:] == ["statement"]:
            return self._statement(parts[1], request)
        return problem(404, "not_found", f"there is no {request.path}")

    def _statement(self, node_id: str, request: Request) -> Reply:
        if request.method == "PUT":
            asked = msgspec.json.decode(request.body, type=api_approvals.StatementRequest)
            self.statements[node_id] = asked.envelope
        held = self.statements.get(node_id)
        if held is None:
            return problem(404, "statement_missing", "nothing was signed about the host")
        return Reply(api_approvals.StatementResponse(node_id, 1, held))

    def _decide(self, run: api.Run, request: Request) -> Reply:
        envelope = msgspec.json.decode(request.body, type=api.DecisionRequest).envelope
        decision = decisions.decode(envelope)
        assert isinstance(decision, decisions.Decision)
        held = dsse.signers(envelope, self.trusted().roster.keys(frozenset({"admin", "operator"})))
        if not held or decision.action_hash != run.action_hash:
            return problem(403, "signature_invalid", "the decision does not hold")
        self.decisions.append(decision)
        done = decision.verdict == "approve"
        steps = tuple(
            msgspec.structs.replace(
                step, phase=self.outcome if done else "cancelled", result=self._applied(step, run)
            )
            for step in run.steps
        )
        good = "completed" if self.outcome == "succeeded" else "failed"
        phase: api.RunPhase = good if done else "denied"
        self.runs[run.run_id] = msgspec.structs.replace(run, phase=phase, steps=steps)
        return Reply(self.runs[run.run_id])

    def _applied(self, step: api.RunStep, run: api.Run) -> dict[str, object]:
        done = tuple(
            reports.ResourceResult(one.module, one.type, one.identity, one.action, "changed", 12)
            for one in self.plans[step.node_id].resources
            if one.digest
        )
        result = reports.ApplyResult(
            run.run_id, step.node_id, run.modules, "succeeded", 1.5, 2.5, done
        )
        built: dict[str, object] = msgspec.to_builtins(result)
        return built
