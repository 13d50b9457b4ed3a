"""`gridwarden rules explain ALERT`: why an alert was raised."""

import asyncio
from typing import Annotated, Literal

import typer

from gridwarden.cli_errors import explained
from gridwarden.cli_settings import read_settings
from gridwarden.clock import clock_of


def explain(
    alert: Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="The alert's number.")],
    *,
    member: Annotated[
        str | None,
        typer.Option("--as", metavar="MEMBER", help="Who looks; needed for care, and recorded."),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="At most so many of each, the newest.")] = 20,
    language: Annotated[Literal["zh", "en"], typer.Option(help="Of what is shown.")] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, all readings.")] = False,
) -> None:
    """Say why an alert was raised: the rule as it was, readings, timers, and who was told.

    The state before it is told by a replay of the readings through the rule, and through the rules
    that may keep it quiet; of a risk index through all that it counts. Times are the site's. A look
    at an alert about care is for a member who may see it, and goes into the audit log.
    """
    from gridwarden.explain_view import tell, tell_json
    from gridwarden.explaining import explain_alert

    settings = read_settings()
    url, now = settings.database_url.get_secret_value(), clock_of(settings).now()
    with explained():
        found = asyncio.run(explain_alert(url, alert, member, now))
    if as_json:
        tell_json(found)
    else:
        tell(found, limit, language)
