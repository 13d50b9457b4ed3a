"""Wrong settings are told all at once, by every command, without a traceback."""

import pytest
from typer.testing import CliRunner

from gridwarden.cli import app

COMMANDS = ("run", "migrate", "doctor", "demo", "replay x.csv", "simulate --site x", "site apply x")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_wrong_setting_is_named(command: str) -> None:
    wrong = {"GRIDWARDEN_WEB_PORT": "x", "GRIDWARDEN_TICK_MS": "0", "COLUMNS": "200"}
    result = CliRunner().invoke(app, command.split(), env=wrong)
    assert result.exit_code == 2
    lines = [line.split(":")[0] for line in result.output.splitlines()]
    assert sorted(lines) == ["GRIDWARDEN_TICK_MS", "GRIDWARDEN_WEB_PORT"]
