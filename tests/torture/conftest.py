"""Marks everything here as torture, and tells the toll of each at the end of the run."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.torture.support.sizes import FORM, Toll

TOLL = "toll"
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("torture")


@pytest.fixture
def toll(record_property: Callable[[str, object], None]) -> Iterator[Toll]:
    counted = Toll()
    yield counted
    record_property(TOLL, str(counted))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    for report in reports:
        told = dict(report.user_properties).get(TOLL) if getattr(report, "when", "") == "teardown" else None
        if told is not None:
            name = report.nodeid.rpartition("/")[2].replace(".py::", "  ")
            terminalreporter.write_line(f"torture ({FORM})  {name}  {told}")
