"""The rules that a set of tags keeps, whoever sets it: an operator or an enrolment key."""

from __future__ import annotations

from coordinator.domain.refusals import Refusal, invalid
from protocol import ids
from protocol.errors import InvalidName

# One host: 64 tags of at most 191 bytes are 12 KiB.
MAX_TAGS = 64


def check(tags: dict[str, str], field: str = "tags") -> Refusal | None:
    """Say what is wrong with a set of tags, if anything."""
    if len(tags) > MAX_TAGS:
        return invalid(field, f"a host has at most {MAX_TAGS} tags, not {len(tags)}")
    wrong: list[str] = []
    for key, value in tags.items():
        try:
            ids.check_tag(key, value)
        except InvalidName as error:
            wrong.append(str(error))
    if not wrong:
        return None
    return Refusal("bad_request", wrong[0], {field: tuple(wrong)})
