"""docs/simulator.md lists the options, incidents and faults that there are, with their rates."""

import re

import typer.main
from typer.core import TyperGroup

from devices.simulator.faults import RATES
from devices.simulator.plots import PLOTS
from gridwarden.cli import app
from tests.docs.pages import read

PAGE = read("docs/simulator.md")


def rows(title: str) -> list[list[str]]:
    """The cells of the table below this heading, without its head."""
    section = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]


def test_every_option_is_explained() -> None:
    command = typer.main.get_command(app)
    assert isinstance(command, TyperGroup)
    options = {
        name
        for parameter in command.commands["simulate"].params
        for name in parameter.opts
        if name != "--help"
    }
    assert {row[0] for row in rows("Options")} == options


def test_every_incident_and_fault_has_its_rate() -> None:
    incidents = {row[0]: float(row[1]) for row in rows("Incidents")}
    assert incidents == {plot.what: plot.rate for plot in PLOTS}
    assert {row[0]: float(row[1]) for row in rows("Faults")} == dict(RATES)


def test_the_page_has_figures() -> None:
    assert re.search(r"generation alone \| [\d ]+ \|", PAGE)
