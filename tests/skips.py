"""Skips for a reason that is not in skips.txt fail the run: hooks of conftest.py."""

from pathlib import Path

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name skips for reasons that are not on the list."""
    for test, reason in unlisted(terminalreporter):
        terminalreporter.line(f"skipped for a reason that is not in skips.txt: {test}: {reason}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Such skips fail the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and unlisted(reporter) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def unlisted(reporter: pytest.TerminalReporter) -> list[tuple[str, str]]:
    """Skipped tests and why, but for the reasons of skips.txt."""
    lines = Path(__file__).with_name("skips.txt").read_text().splitlines()
    listed = tuple(line for line in lines if not line.startswith("#"))
    found = [
        (report.nodeid, str(report.longrepr[2]).removeprefix("Skipped: "))
        for report in reporter.stats.get("skipped", [])
    ]
    return [(test, reason) for test, reason in found if not reason.startswith(listed)]
