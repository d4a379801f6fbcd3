"""A plan reads like a plan."""

from __future__ import annotations

import msgspec
import pytest

from client.render.grouping import Totals
from client.render.output import Line
from client.render.plan import MAX_NAMES, drift_lines, plan_lines, summary
from protocol.reports import Author, Change, DriftRecord, ResourceResult, Trigger
from tests.fakes.api_server import item


def text(lines: list[Line]) -> str:
    return "\n".join("".join(span.text for span in one) for one in lines)


def test_each_kind_of_change_has_its_symbol_and_its_lines() -> None:
    """Real diff lines, old and new values, masked secrets, triggers."""
    changed = msgspec.structs.replace(
        item(
            "/etc/a",
            "update",
            (
                Change("mode", "0644", "0600"),
                Change("owner", None, "root"),
                Change("content", diff=("@@ -1 +1 @@", "-a", "+b")),
                Change("token", "x", "y", sensitive=True),
            ),
        ),
        triggers=(Trigger("reload", ("web/nginx",)),),
    )
    shown = text(
        plan_lines(
            {
                "web": (
                    changed,
                    item("/etc/b", "create"),
                    item("/etc/c", "remove"),
                    item("/run/d", "run", type="script"),
                    item("/run/e", "unknown", message="unsigned"),
                    item("/etc/f", "none"),
                )
            }
        )
    )
    for expected in (
        "~ file-unix  /etc/a  [web]",
        "mode: 0644 -> 0600",
        "owner: root",
        "  -a\n",
        "  +b\n",
        "token: (sensitive value)",
        "reload because of web/nginx",
        "+ file-unix  /etc/b",
        "- file-unix  /etc/c",
        "~ script  /run/d",
        "! file-unix  /run/e",
        "unsigned",
        "= 1 resource unchanged",
        "Plan: 1 to add, 1 to change, 1 to remove, 1 to run on 1 host. 1 could not be looked at.",
    ):
        assert expected in shown, shown


@pytest.mark.parametrize(
    ("sums", "line"),
    [
        (Totals(), "No host gave a plan."),
        (Totals(hosts=3), "No changes on 3 hosts."),
        (Totals(unknown=1, hosts=1), "No changes on 1 host. 1 could not be looked at."),
        (Totals(add=1, hosts=1), "Plan: 1 to add, 0 to change, 0 to remove on 1 host."),
        (Totals(run=1, hosts=1), "Plan: 0 to add, 0 to change, 0 to remove, 1 to run on 1 host."),
    ],
)
def test_one_line_says_it_all(sums: Totals, line: str) -> None:
    assert summary(sums) == line


def test_many_names_are_counted() -> None:
    plans = {f"web-{number:02}": (item("/etc/a"),) for number in range(MAX_NAMES + 3)}
    plans["other"] = (item("/etc/b"),)
    assert "web-07 and 3 more" in text(plan_lines(plans))


def test_drift_says_what_happened_outside() -> None:
    record = DriftRecord(
        "d", "n", "event", 1.0, "drifted", message="seen at once",
        resources=(item("/etc/a", "create"), item("/etc/b", "none")),
    )  # fmt: skip
    shown = text(drift_lines(record, "web", "now"))
    assert "web: drifted, looked at now (event)" in shown
    assert "! file-unix  /etc/a  [web]  is gone" in shown
    assert "/etc/b" not in shown


def test_drift_says_when_and_by_whom_and_what_was_put_right() -> None:
    """Both axes, and what the host did about one of them by itself."""
    author = Author(7, "/bin/sed", "sed -i x", 0, "root", 1000, "ada", "cron.service")
    record = DriftRecord(
        "d", "n", "event", 1.0, "drifted",
        resources=(
            msgspec.structs.replace(item("/etc/a"), changed_at=60.0, changed_by=author),
            msgspec.structs.replace(item("/etc/b"), changed_at=61.0),
        ),
        repaired=(
            ResourceResult("web", "file-unix", "/etc/c", "update", "changed"),
            ResourceResult("web", "file-unix", "/etc/d", "update", "failed", error="no room"),
        ),
        pending=(item("/etc/e", "create"),),
    )  # fmt: skip
    shown = text(drift_lines(record, "web", "now", lambda at: f"at {at:.0f}"))
    who = "sed -i x (pid 7, user root, logged in as ada, cron.service)"
    assert f"\n      changed at 60 by {who}\n" in shown
    assert "\n      changed at 61\n" in shown
    assert "= file-unix  /etc/c  [web]  put right by the host itself" in shown
    assert "= file-unix  /etc/d  [web]  not put right: no room" in shown
    assert "pending: " in shown
    assert "\n  + file-unix  /etc/e  [web]" in shown


def test_one_host_is_not_named_on_every_line() -> None:
    """Number and name stand where hosts differ, and nowhere else."""
    changes = (item("/etc/a", "create"), item("/etc/b", "none"))
    alone = text(plan_lines({"web": changes}))
    assert alone.startswith("+ file-unix  /etc/a")
    assert "on web" not in alone
    assert "\n= 1 resource unchanged" in alone
    assert "on web" in text(plan_lines({"web": changes, "db": ()}))
    both = text(plan_lines({"web": changes, "db": changes}))
    assert both.startswith("2 hosts  + file-unix  /etc/a")


def test_the_names_above_a_diff_are_no_removed_and_added_lines() -> None:
    """`---` and `+++` have no colour of their own; a removed line that begins so has."""
    diff = ("--- /etc/a", "+++ /etc/a", "@@ -1 +1 @@", "--- old", "+++ new")
    shown = plan_lines({"web": (item("/etc/a", "update", (Change("content", diff=diff),)),)})
    styles = [one[-1].style for one in shown if not one[0].text.strip() and len(one) == 2]
    assert styles == ["dim", "dim", "dim", "remove", "add"]


def test_triggered_is_not_said_twice() -> None:
    script = item("/run/d", "run", type="script", message="triggered")
    assert "triggered" in text(plan_lines({"web": (script,)}))
    because = msgspec.structs.replace(script, triggers=(Trigger("rerun", ("page",)),))
    shown = text(plan_lines({"web": (because,)}))
    assert "rerun because of page" in shown
    assert "triggered" not in shown
