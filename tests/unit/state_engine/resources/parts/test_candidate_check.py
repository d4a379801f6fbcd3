"""The command that has to accept a new file."""

from __future__ import annotations

import pytest

from state_engine.resources.parts.candidate_check import check_command


def test_a_program_with_the_file_among_its_arguments_is_fine() -> None:
    assert check_command(["/usr/sbin/nginx", "-t", "-c", "{file}"], managed=True) == []


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["nginx", "{file}"],
        ["{file}"],
        ["/bin/{file}", "{file}"],
        ["/bin/x"],
        ["/b", "{file}\0"],
    ],
)
def test_anything_else_is_no_check(command: list[str]) -> None:
    [problem] = check_command(command, managed=True)
    assert problem.field == "validate"


def test_without_content_there_is_nothing_to_check() -> None:
    assert len(check_command(["/bin/x", "{file}"], managed=False)) == 1
