"""Whatever is offered, in whatever order and with restarts between, memory only goes forward."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from agent import ledger
from agent.database import Database
from agent.ledger import Ledger
from protocol.reasons import Reason, Refused
from tests.unit.agent.test_ledger import decision

offers = st.lists(
    st.tuples(st.integers(1, 5), st.sampled_from([b"a", b"b"]), st.booleans()), max_size=20
)


@settings(max_examples=40)
@given(offers)
def test_desired_state_is_on_disk_before_it_counts_and_never_goes_back(
    sequence: list[tuple[int, bytes, bool]],
) -> None:
    """Against a model: newer is stored, the same is held, older and other are refused."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        database = Database(path, reserve=0)
        book = Ledger(database)
        held = (0, b"")
        for generation, document, restart in sequence:
            answer = book.take_desired(generation, document)
            if generation > held[0]:
                assert answer == "stored"
                held = (generation, document)
            elif (generation, document) == held:
                assert answer == "held"
            else:
                assert isinstance(answer, Refused)
                older = generation < held[0]
                reason = Reason.GENERATION_OLD if older else Reason.GENERATION_CONFLICT
                assert answer.reason is reason
            # What the call said is what another process would read at this moment.
            other = Database(path, reserve=0)
            assert Ledger(other).desired() == ledger.Desired(*held)
            other.close()
            if restart:
                database.close()
                database = Database(path, reserve=0)
                book = Ledger(database)
        database.close()


uses = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 300), st.integers(1, 300), st.integers(0, 3)),
    max_size=20,
)


@settings(max_examples=40)
@given(uses)
def test_a_use_is_forgotten_only_when_it_can_never_be_valid_again(
    sequence: list[tuple[int, int, int, int]],
) -> None:
    """Signed time never falls; a decision without a remembered use has expired by it."""
    with tempfile.TemporaryDirectory() as name:
        database = Database(Path(name), reserve=0)
        consumed: dict[str, int] = {}
        expires: dict[str, int] = {}
        time = 0
        for number, begin, length, level in sequence:
            made = decision(number, not_before=begin, expires_at=begin + length, epoch=level)
            before = database.read(ledger.latest_signed_time)
            if made.decision_id in expires and before >= expires[made.decision_id]:
                # The host would call it expired, so it is never consumed.
                continue
            database.write(lambda tx, d=made: ledger.consume(tx, d, 1_000.0))
            expires.setdefault(made.decision_id, made.expires_at)
            consumed[made.decision_id] = consumed.get(made.decision_id, 0) + 1
            time = max(time, begin)
            assert database.read(ledger.latest_signed_time) == time
            for known, count in consumed.items():
                found = database.read(lambda tx, k=known: ledger.uses(tx, k))
                assert found == count or time >= expires[known]
        database.close()
