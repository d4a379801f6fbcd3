"""Log lines of a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import logging, structlog
from coordinator import logs
logs.configure("info")
structlog.get_logger("x").info("ours", number=1)
structlog.get_logger("x").debug("hidden")
logging.getLogger("uvicorn.error").info("the server's")
logging.getLogger("library").info("hidden")
logging.getLogger("library").warning("a library's")
try:
    1 / 0
except ZeroDivisionError as error:
    structlog.get_logger("x").error("broken", exc_info=error)
"""


def test_every_line_is_one_json_object_whoever_wrote_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["ours", "the server's", "a library's", "broken"]
    assert all({"level", "timestamp"} <= line.keys() for line in lines)
    assert "ZeroDivisionError" in lines[-1]["exception"]
