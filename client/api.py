"""The coordinator's API as typed calls. Nothing here decides whether to believe an answer."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote

import msgspec

from client.failures import AuthError, UnreachableError
from client.transport import Answer, Transport
from protocol import api, api_why, dsse
from protocol.reports import DriftRecord, MachineState, ScriptOutput, content_digest

BASE = "/api/v1"
T = TypeVar("T")


class Outputs(msgspec.Struct, frozen=True):
    """GET …/output: captured script output, keyed `module/identity`."""

    output: dict[str, ScriptOutput] = {}


class _RunPage(msgspec.Struct, frozen=True):
    """Runs, newest first."""

    runs: list[api.Run]


class _Enveloped(msgspec.Struct, frozen=True):
    """The answer of a family that wraps its data."""

    data: msgspec.Raw


class Api:
    """Calls to one coordinator; `token` gives a bearer token, a new one if it is called with True.

    Every method raises what `Transport.request` raises.
    """

    def __init__(self, transport: Transport, token: Callable[[bool], str]) -> None:
        self._transport = transport
        self._token = token

    # --- without a token

    def status(self) -> api.Status:
        """Return the coordinator's health and identity."""
        return _decode(self._transport.request("GET", f"{BASE}/status"), api.Status)

    def challenge(self, public_key: str) -> api.ChallengeResponse:
        """Return a challenge for a key."""
        body = msgspec.json.encode(api.ChallengeRequest(public_key))
        answer = self._transport.request("POST", f"{BASE}/auth/challenge", body=body)
        return _decode(answer, api.ChallengeResponse)

    def verify(self, request: api.VerifyRequest) -> api.VerifyResponse:
        """Return a session for a signed challenge."""
        body = msgspec.json.encode(request)
        answer = self._transport.request("POST", f"{BASE}/auth/verify", body=body)
        return _decode(answer, api.VerifyResponse)

    def status_for_operators(self) -> api.Status:
        """Return what the coordinator tells operators of itself, with roster and counts."""
        return self._get("/status", api.Status)

    # --- the roster and its operators

    def roster(self, after: int) -> api.RosterResponse:
        """Return the roster versions after one."""
        return self._get("/roster", api.RosterResponse, {"after": str(after)})

    def post_roster(self, envelope: dsse.Envelope) -> None:
        """Bring the next roster version."""
        self._send("POST", "/roster", api.RosterRequest(envelope))

    def operators(self, *, include_removed: bool) -> tuple[api.Operator, ...]:
        """Return the operators."""
        params = {"include_removed": "true"} if include_removed else {}
        return self._get("/operators", tuple[api.Operator, ...], params)

    def add_operator(self, request: api.AddOperatorRequest) -> api.Operator:
        """Add an operator to the coordinator's list."""
        return _decode(self._send("POST", "/operators", request), api.Operator)

    def remove_operator(self, operator_id: str) -> None:
        """Take an operator off the coordinator's list."""
        self._send("DELETE", f"/operators/{_part(operator_id)}")

    # --- agents

    def agents(self, *, status: str | None = None, selector: str | None = None) -> list[api.Agent]:
        """Return the agents, all or those of a status or selector."""
        params = {key: value for key, value in (("status", status), ("filter", selector)) if value}
        return self._get("/agents", list[api.Agent], params)

    def set_status(self, node_id: str, request: api.StatusChangeRequest) -> None:
        """Approve or reject an agent."""
        self._send("POST", f"/agents/{_part(node_id)}", request)

    def remove_agent(self, node_id: str) -> None:
        """Remove a rejected agent."""
        self._send("DELETE", f"/agents/{_part(node_id)}")

    def attributes(self, node_id: str) -> dict[str, str]:
        """Return an agent's attributes."""
        return self._get(f"/agents/{_part(node_id)}/attributes", dict[str, str])

    def set_tag(self, node_id: str, key: str, value: str) -> None:
        """Set one tag."""
        path = f"/agents/{_part(node_id)}/tags/{_part(key)}"
        self._send("PUT", path, api.SetTagRequest(value))

    def remove_tag(self, node_id: str, key: str) -> None:
        """Remove one tag."""
        self._send("DELETE", f"/agents/{_part(node_id)}/tags/{_part(key)}")

    def why(self, node_id: str) -> api_why.Why:
        """Return what there is to say of a node, newest first."""
        return self._get(f"/agents/{_part(node_id)}/why", api_why.Why)

    def discover(self, target: str | None) -> None:
        """Let the coordinator announce itself."""
        self._send("POST", "/discover", api.DiscoverRequest(target))

    # --- enrolment keys

    def create_key(
        self, cluster: str, request: api.CreateEnrolmentKeyRequest
    ) -> api.EnrolmentKeyInfo:
        """Make an enrolment key; the only answer that holds the string itself."""
        answer = self._send("POST", f"/clusters/{_part(cluster)}/enrollment_keys", request)
        return _decode(_data(answer), api.EnrolmentKeyInfo)

    def enrolment_keys(self) -> list[api.EnrolmentKeyInfo]:
        """Return all enrolment keys, page by page."""
        found: list[api.EnrolmentKeyInfo] = []
        # 10,000 keys; a coordinator that never ends its pages is not followed for ever.
        for page in range(1, 101):
            params = {"page": str(page), "page_size": "100"}
            answer = self._call("GET", "/enrollment_keys", params=params)
            part = _decode(_data(answer), list[api.EnrolmentKeyInfo])
            found += part
            if len(part) < 100:
                break
        return found

    def enrolment_key(self, key_id: str) -> api.EnrolmentKeyInfo:
        """Return one enrolment key, without its secret."""
        answer = self._call("GET", f"/enrollment_keys/{_part(key_id)}")
        return _decode(_data(answer), api.EnrolmentKeyInfo)

    def revoke_key(self, key_id: str) -> None:
        """Delete an enrolment key; hosts that used it stay."""
        self._send("DELETE", f"/enrollment_keys/{_part(key_id)}")

    # --- modules

    def modules(self) -> list[api.Module]:
        """Return the modules."""
        return self._get("/modules", list[api.Module])

    def module(self, name: str) -> api.ModuleDetail:
        """Return one module with its content."""
        return self._get(f"/modules/{_part(name)}", api.ModuleDetail)

    def upload_module(self, request: api.UploadModuleRequest) -> api.Module:
        """Store a module version."""
        return _decode(self._send("POST", "/modules", request), api.Module)

    def remove_module(self, name: str) -> None:
        """Remove a module."""
        self._send("DELETE", f"/modules/{_part(name)}")

    # --- runs and state

    def create_run(self, request: api.RunRequest) -> api.Run:
        """Start a run."""
        return _decode(self._send("POST", "/runs", request), api.Run)

    def run(self, run_id: str) -> api.Run:
        """Return a run as it stands."""
        return self._get(f"/runs/{_part(run_id)}", api.Run)

    def runs(self) -> list[api.Run]:
        """Return the latest runs, newest first."""
        answer = self._call("GET", "/runs")
        if answer.body.lstrip().startswith(b"["):
            return _decode(answer, list[api.Run])
        return _decode(answer, _RunPage).runs

    def decide(self, run_id: str, envelope: dsse.Envelope) -> api.Run:
        """Bring a signed decision for a run."""
        path = f"/runs/{_part(run_id)}/decisions"
        return _decode(self._send("POST", path, api.DecisionRequest(envelope)), api.Run)

    def cancel(self, run_id: str) -> None:
        """Cancel a run."""
        self._send("POST", f"/runs/{_part(run_id)}/cancel")

    def artifact(self, sha256: str) -> bytes:
        """Return an artifact's bytes; they are the named ones, or an error is raised."""
        body = self._call("GET", f"/artifacts/{_part(sha256)}").body
        if content_digest(body) != sha256:
            raise UnreachableError(
                f"artifact {sha256} came with other content", code="artifact_changed"
            )
        return body

    def bring(self, path: str, kind: type[T], data: bytes, params: dict[str, str]) -> T:
        """Put bytes that are no JSON document, and return the answer."""
        content_type = "application/octet-stream"
        answer = self._call("PUT", path, body=data, params=params, content_type=content_type)
        return _decode(answer, kind)

    def machine_state(self, node_id: str) -> MachineState:
        """Return what a machine is believed to hold."""
        return self._get(f"/agents/{_part(node_id)}/state", MachineState)

    def operations(self, node_id: str | None, limit: int, offset: int) -> api.OperationPage:
        """Return operations of one agent or all, newest first."""
        path = f"/agents/{_part(node_id)}/state/operations" if node_id else "/state/operations"
        return self._get(path, api.OperationPage, {"limit": str(limit), "offset": str(offset)})

    def operation(self, operation_id: str) -> api.Operation:
        """Return one operation with its per-resource results."""
        return self._get(f"/state/operations/{_part(operation_id)}", api.Operation)

    def output(self, node_id: str, operation_id: str) -> Outputs:
        """Return the captured script output of an operation."""
        path = f"/agents/{_part(node_id)}/state/operations/{_part(operation_id)}/output"
        return self._get(path, Outputs)

    def drift_records(self, node_id: str, limit: int, status: str | None) -> list[DriftRecord]:
        """Return an agent's drift records, newest first."""
        params = {"limit": str(limit)} | ({"status": status} if status else {})
        answer = self._call("GET", f"/agents/{_part(node_id)}/drift", params=params)
        if answer.body.lstrip().startswith(b"["):
            return _decode(answer, list[DriftRecord])
        return list(_decode(answer, api.DriftPage).records)

    def drift_record(self, drift_id: str) -> DriftRecord:
        """Return one drift record."""
        return self._get(f"/drift/{_part(drift_id)}", DriftRecord)

    # --- the ways

    def raw(self, path: str, params: dict[str, str]) -> bytes:
        """Return the bytes of an answer that is not one JSON document."""
        return self._call("GET", path, params=params).body

    def end(self, path: str) -> None:
        """Delete an object of a family that has a module of its own."""
        self._send("DELETE", path)

    def ask(
        self,
        method: str,
        path: str,
        kind: type[T],
        body: msgspec.Struct | None = None,
        params: dict[str, str] | None = None,
    ) -> T:
        """Return one answer, for the families that have a module of their own."""
        data = msgspec.json.encode(body) if body is not None else None
        return _decode(self._call(method, path, body=data, params=params), kind)

    def _get(self, path: str, kind: type[T], params: dict[str, str] | None = None) -> T:
        return _decode(self._call("GET", path, params=params), kind)

    def _send(self, method: str, path: str, body: msgspec.Struct | None = None) -> Answer:
        data = msgspec.json.encode(body) if body is not None else None
        return self._call(method, path, body=data)

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        params: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        headers = {} if method != "POST" else {"idempotency-key": str(uuid.uuid4())}
        if body is not None:
            headers["content-type"] = content_type
        for fresh in (False, True):
            headers["authorization"] = f"Bearer {self._token(fresh)}"
            try:
                return self._transport.request(
                    method, BASE + path, body=body, params=params, headers=headers
                )
            except AuthError as error:
                # A token may have ended before its time: log in once more, never twice.
                if fresh or error.next_command:
                    raise
        raise AssertionError


def _part(text: str) -> str:
    return quote(text, safe="")


def _data(answer: Answer) -> Answer:
    data = _decode(answer, _Enveloped).data
    return Answer(answer.status, answer.headers, bytes(data))


def _decode(answer: Answer, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise UnreachableError(
            f"the coordinator's answer does not fit this client: {error}",
            next_command="standfast status, and compare the versions",
            code="answer_invalid",
        ) from error
