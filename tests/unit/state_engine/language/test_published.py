"""The words of the published format that this version only knows of."""

from __future__ import annotations

import pytest

from state_engine.language.published import DELETABLE, KINDS
from state_engine.language.validate import check_text
from state_engine.resources.registry import KINDS as AVAILABLE


def test_the_published_format_has_seventeen_kinds() -> None:
    assert len(set(KINDS)) == 17
    assert list(KINDS) == sorted(KINDS)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(AVAILABLE)))
def test_a_published_kind_that_is_not_here_yet_is_never_called_unknown(kind: str) -> None:
    text = f"name: a\nsupports: [{{}}]\nresources: [{{resource: {{{kind}: {{}}}}}}]"
    (problem,) = check_text(text.encode())[1]
    assert problem.message == f"kind `{kind}` is not available in this version"


def test_every_kind_that_can_be_deleted_on_removal_is_here() -> None:
    assert set(DELETABLE) <= set(AVAILABLE)
