"""What is said of resources that are not taken back."""

from __future__ import annotations

from client.planning import Planned
from client.sign import check_plan
from client.taking_back import staying
from protocol import api
from tests.fakes.api_server import item, plan_of


def test_each_that_stays_is_named_with_why_and_the_rest_shows_itself() -> None:
    """An error has its line in the plan already."""
    plan = plan_of(
        "n",
        item("/a", "none", message="stays: it ran a command"),
        item("/b", "none"),
        item("/c", "error", message="refused: /c was changed since the operation"),
        item("/d"),
    )
    run = api.Run("r", "state.plan", "completed", "s", "t", "by", (), ())
    planned = Planned(run, (check_plan("n", "web", plan),), ())
    assert staying(planned) == ["= file-unix  /a  [web]  stays: it ran a command"]
