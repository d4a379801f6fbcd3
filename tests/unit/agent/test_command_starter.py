"""The starter on its own: what cannot be is said as a shell says it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from agent import command_starter

PLAN = {"argv": ["/bin/echo", "hi"], "env": {}, "cwd": "/", "user": "", "rlimits": {}, "groups": []}


def started(**changes: object) -> tuple[int, str]:
    """Exit code and output of the starter with a plan."""
    handle = os.memfd_create("plan")
    try:
        os.write(handle, json.dumps({**PLAN, **changes}).encode())
        os.lseek(handle, 0, os.SEEK_SET)
        argv = [sys.executable, "-I", "-S", command_starter.__file__, str(handle)]
        done = subprocess.run(
            argv, pass_fds=[handle], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
    finally:
        os.close(handle)
    return done.returncode, done.stdout.decode()


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({}, 0, "hi\n"),
        ({"argv": ["/nowhere"]}, 127, "cannot run /nowhere: No such file"),
        ({"argv": ["/etc/passwd"]}, 126, "cannot run /etc/passwd: Permission denied"),
        ({"cwd": "/nowhere"}, 126, "cannot start: No such file or directory /nowhere"),
        ({"user": "nobody-of-that-name"}, 126, "there is no user"),
        ({"rlimits": {"nofile": 2**60}}, 126, "cannot start"),
        ({"groups": [999]}, 126, "cannot start: Bad file descriptor"),
    ],
)
def test_what_stands_in_the_way_is_said(changes: dict[str, object], code: int, words: str) -> None:
    """126 for what cannot be run, 127 for what is not there."""
    found, text = started(**changes)
    assert found == code
    assert words in text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_another_user_is_become_with_all_groups_and_own_streams() -> None:
    """Nothing of root is left, and /dev/stdout can be opened again."""
    script = "id -u; id -G; echo out >/dev/stdout; echo $HOME $USER; grep CapEff /proc/self/status"
    code, text = started(argv=["/bin/sh", "-c", script], user="daemon")
    lines = text.splitlines()
    assert code == 0
    assert (lines[0], lines[2], lines[4]) == ("1", "out", "CapEff:\t0000000000000000")
    assert lines[3].endswith(" daemon")
    assert "0" not in lines[1].split()
