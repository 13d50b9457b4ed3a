"""A skipped test is a failure, but for those that read the data folder beside the repository."""

import pytest

ALLOWED = "../shared/data"
"""What the reason of an allowed skip says."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the skips that turn the session into a failure."""
    for reason in forbidden(terminalreporter):
        terminalreporter.write_line(f"FAILED: skipped without leave: {reason}", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the session for a skip whose reason is not `ALLOWED`."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and forbidden(reporter) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def forbidden(reporter: pytest.TerminalReporter) -> list[str]:
    """Which test or module was skipped and why, for each skip that is not allowed."""
    reports = reporter.stats.get("skipped", [])
    return [
        f"{report.nodeid}: {report.longrepr[2]}"
        for report in reports
        if ALLOWED not in report.longrepr[2]
    ]
