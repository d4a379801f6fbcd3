"""A fleet in memory whose hosts run commands without running anything."""

from __future__ import annotations

from coordinator.domain import commands, run_decisions
from coordinator.domain.refusals import Refusal
from protocol import api
from protocol.api_commands import CommandInfo, CreateCommandRequest, Execution, Targeting
from protocol.commands import CommandResult, Output
from protocol.messages import Accepted, Body, Finished, Offer, Started, StepOutcome
from tests.fakes.fleet import OPERATOR, FakeHost, Fleet, chunks


def asked(script: str = "true", **fields: object) -> CreateCommandRequest:
    """A request for all hosts."""
    return CreateCommandRequest(Targeting("all"), script, **fields)  # type: ignore[arg-type]  # by name


class CommandFleet(Fleet):
    """What a test asks of the domain, in one line each."""

    def make(self, request: CreateCommandRequest) -> CommandInfo:
        made = self.store.write_now(
            lambda tx: commands.create(tx, OPERATOR, request, lambda hosts: hosts)
        )
        assert isinstance(made, CommandInfo), made
        return made

    def refused(self, request: CreateCommandRequest) -> Refusal:
        made = self.store.write_now(
            lambda tx: commands.create(tx, OPERATOR, request, lambda hosts: hosts)
        )
        assert isinstance(made, Refusal)
        return made

    def sign(self, made: CommandInfo, **changes: object) -> api.Run | Refusal:
        fields = {"capability": "command.run", "decision_id": made.id, **changes}
        envelope = self.decision(self.run(made.id), **fields)  # type: ignore[arg-type]  # by name
        return self.store.write_now(
            lambda tx: run_decisions.add_decision(tx, OPERATOR, made.id, envelope)
        )

    def signed(self, request: CreateCommandRequest) -> CommandInfo:
        made = self.make(request)
        run = self.sign(made)
        assert isinstance(run, api.Run), run
        assert run.phase == "queued"
        return made

    def parts(self, made: CommandInfo) -> dict[str, Execution]:
        """The executions of a command by node."""
        found = self.store.read_now(
            lambda tx: commands.list_executions(tx, output=True, command_id=made.id)
        )
        return {one.node_id or "": one for one in found}

    def part(self, made: CommandInfo, host: FakeHost) -> Execution:
        return self.parts(made)[host.node_id]

    def cancel(self, one: Execution) -> Execution | Refusal:
        return self.store.write_now(lambda tx: commands.cancel_execution(tx, OPERATOR, one.id))


def accepted(offer: Offer) -> list[Body]:
    """What a host says when it begins."""
    return [Accepted(offer.run_id, offer.fence), Started(offer.run_id, offer.fence)]


def ended(
    host: FakeHost,
    offer: Offer,
    *,
    code: int | None = 0,
    outcome: StepOutcome = "succeeded",
    text: str = "",
    **fields: object,
) -> list[Body]:
    """What a host says at the end, with its result document."""
    import msgspec

    result = CommandResult(host.node_id, "exited", code, 12, len(text))
    data = msgspec.json.encode(msgspec.structs.replace(result, **fields))
    found = chunks(data, "command")
    said: list[Body] = [Output(offer.run_id, offer.fence, 1, 0, text)] if text else []
    return [*said, *found, Finished(offer.run_id, offer.fence, outcome, found[0].sha256)]
