"""What every test run shares: the hypothesis profile, the root rule and the count of skips."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings

# No deadline and no health check on speed: a slow machine is not a failed promise. The blob that
# is printed with a failure repeats it with @reproduce_failure, also from a run elsewhere.
# Where a change is judged, the examples are the same in every run, so that the verdict is about the
# change; everywhere else each run looks for new ones.
settings.register_profile(
    "standfast",
    deadline=None,
    print_blob=True,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("standfast")

IS_ROOT = os.geteuid() == 0


def pytest_report_header() -> str:
    """Says as whom the tests run, because some need root."""
    return f"standfast: euid {os.geteuid()}, {os.cpu_count()} processors"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what needs root when we are not root; the summary counts it."""
    if IS_ROOT:
        return
    for item in items:
        if item.get_closest_marker("needs_root") is not None:
            item.add_marker(pytest.mark.skip(reason="needs root"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Counts skipped tests by reason: what was not tried must be seen without reading the log."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        where = report.longrepr
        text = where[2] if isinstance(where, tuple) else str(where)
        reasons[text.removeprefix("Skipped: ")] += 1
    if reasons:
        terminalreporter.write_sep("-", f"{sum(reasons.values())} tests were not tried")
        for reason, count in reasons.most_common():
            terminalreporter.write_line(f"{count:5}  {reason}")
