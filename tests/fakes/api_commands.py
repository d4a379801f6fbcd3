"""A coordinator of commands for tests of the client; tests replace single answers by lies."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from protocol import api, commands, decisions, ids
from protocol.api_commands import (
    CommandInfo,
    CreateCommandRequest,
    Execution,
    OutputPage,
    OutputPiece,
    Preview,
    PreviewNode,
    PreviewRequest,
)
from tests.fakes.api_server import FakeCoordinator, Reply, Request

AT = "2026-01-01T00:00:00Z"
META = api.Meta("req-1", AT)


class CommandCoordinator(FakeCoordinator):
    """Its hosts answer as soon as a command is signed; those in `away` do not."""

    def __init__(self) -> None:
        super().__init__()
        self.away: set[str] = set()
        self.text: dict[str, str] = {}
        self.code: dict[str, int] = {}
        self.bend_command: Callable[[CommandInfo], CommandInfo] = lambda info: info
        self.bend_output: Callable[[OutputPage], OutputPage] = lambda page: page
        self.bend_executions: Callable[[tuple[Execution, ...]], tuple[Execution, ...]]
        self.bend_executions = lambda found: found
        self.info: CommandInfo | None = None
        self.on("POST", "/commands", self._make)
        self.on("POST", "/commands/preview", self._preview)
        self.on("GET", "/commands", lambda _: Reply({"data": [self.info], "meta": META}))
        self.on("GET", "/command_executions", lambda _: Reply(self._listed()))

    def _make(self, request: Request) -> Reply:
        asked = msgspec.json.decode(request.body, type=CreateCommandRequest)
        document = asked.command()
        command_id = ids.ulid(1_700_000_000, b"\x02" * 10)
        own = decisions.canonical_hash(commands.action(document))
        info = CommandInfo(
            command_id, document.text, asked.timeout, asked.expires_at, None, False, None, AT, AT,
            command_id, document, own, "lena", {"pending": len(asked.targeting.node_ids)},
        )  # fmt: skip
        names = {agent.node_id: agent.name for agent in self.agents}
        steps = tuple(
            api.RunStep(node, names[node], "pending", node) for node in asked.targeting.node_ids
        )
        run = api.Run(
            command_id, "command.run", "waiting_approval", ids.DEFAULT_SCOPE, AT, "lena", (),
            steps, action_hash=own,
        )  # fmt: skip
        self.info = self.bend_command(info)
        self.runs[command_id] = self.bend(run)
        self.on("GET", f"/commands/{command_id}", Reply({"data": self.info, "meta": META}))
        self.on("GET", f"/commands/{command_id}/output", self._output)
        for node in names:
            self.on("POST", f"/command_executions/{node}/cancel", self._cancel)
        return Reply({"data": self.info, "meta": META}, 201)

    def _applied(self, step: api.RunStep, run: api.Run) -> dict[str, object]:
        if run.step == "command.run":
            return {}
        return super()._applied(step, run)

    def _cancel(self, _request: Request) -> Reply:
        return Reply({"data": self.executions()[0], "meta": META}, 202)

    def _preview(self, request: Request) -> Reply:
        wanted = msgspec.json.decode(request.body, type=PreviewRequest).targeting.node_ids
        nodes = tuple(
            PreviewNode(one.node_id, one.name, one.node_id not in self.away, AT)
            for one in self.agents
            if one.node_id in wanted
        )
        return Reply({"data": Preview(nodes, len(nodes), 0), "meta": META})

    def executions(self) -> tuple[Execution, ...]:
        """What the hosts of the one command have done."""
        assert self.info is not None
        run = self.runs[self.info.id]
        signed = bool(self.decisions) and run.phase != "denied"
        found: list[Execution] = []
        for step in run.steps:
            done = signed and step.node_id not in self.away
            one = Execution(
                step.node_id, self.info.id, step.node_id, "default", self.info.command_text,
                None, None, None, "completed" if done else "pending",
                self.code.get(step.node_id, 0) if done else None,
                self.text.get(step.node_id) if done else None,
                False, None, None, None, AT, AT, step.name, "exited" if done else None,
            )  # fmt: skip
            found.append(one)
        return tuple(found)

    def _listed(self) -> dict[str, object]:
        return {"data": self.bend_executions(self.executions()), "meta": META}

    def _output(self, request: Request) -> Reply:
        del request
        pieces = tuple(
            OutputPiece(1, node, 0, text) for node, text in self.text.items() if self.decisions
        )
        seen = sum(one.path.endswith("/output") for one in self.requests)
        return Reply(self.bend_output(OutputPage(pieces if seen == 1 else (), over=True)))
