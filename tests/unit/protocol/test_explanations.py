from __future__ import annotations

import pytest

from protocol.explanations import API, codes, explain
from protocol.reasons import EXPLAIN, Reason


@pytest.mark.parametrize("code", codes())
def test_every_code_has_a_meaning(code: str) -> None:
    """A sentence without a full stop, so that it can stand in one."""
    known = explain(code)
    assert known is not None
    assert known.meaning
    assert not known.meaning.endswith(".")


def test_a_reason_of_a_host_is_explained_as_the_host_does() -> None:
    """One word has one meaning, whoever says it."""
    assert explain("quorum_missing") == EXPLAIN[Reason.QUORUM_MISSING]
    assert not set(API) & {reason.value for reason in Reason}
    assert explain("nothing_of_ours") is None
