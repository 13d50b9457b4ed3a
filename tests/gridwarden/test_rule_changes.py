"""`gridwarden site apply` says what becomes of rules and of their standing alerts."""

from pathlib import Path

import psycopg
from typer.testing import CliRunner

from gridwarden.cli_site import site_app
from tests.gridwarden.test_cli_site import folder, url
from tests.gridwarden.test_site import write

__all__ = ["folder", "url"]

runner = CliRunner()

STANDING = """
INSERT INTO alerts (rule_code, rule_fingerprint, subject_kind, subject_id, since, fired_at,
                    opened_at, category, severity, title, area_id, devices, metrics, state,
                    route_reason)
SELECT 'care.sos', 'f', 'area', id, now(), now(), now(), 'care', 'red', '{}', id, '{}', '{}',
       'open', ''
FROM areas LIMIT 2
"""


def planned(folder: Path, url: str) -> str:
    """What an apply would do, the rule having two standing alerts."""
    result = runner.invoke(site_app, ["apply", str(folder), "--dry-run"])
    assert result.exit_code == 0
    return result.output


def applied(folder: Path, url: str) -> None:
    """The folder in force, with two alerts."""
    assert runner.invoke(site_app, ["apply", str(folder), "--yes"]).exit_code == 0
    with psycopg.connect(url) as conn:
        conn.execute(STANDING)


def test_a_changed_rule_is_shown_line_by_line_with_the_alerts_that_end(
    folder: Path,
    url: str,
) -> None:
    applied(folder, url)
    text = (folder / "rules" / "care.yaml").read_text("utf-8")
    write(folder, {"rules/care.yaml": text.replace("severity: red", "severity: orange")})
    assert (
        "rule care.sos begins anew: 2 standing alerts are closed"
        " with the reason 'rule_changed'\n"
        "    -  severity: red\n    +  severity: orange\n"
    ) in planned(folder, url)


def test_a_removed_rule_says_which_alerts_end(folder: Path, url: str) -> None:
    applied(folder, url)
    text = (folder / "rules" / "care.yaml").read_text("utf-8")
    write(folder, {"rules/care.yaml": text.replace("care.sos", "care.call")})
    ends = "rule care.sos is removed: 2 standing alerts are closed with the reason 'rule_removed'\n"
    assert ends in planned(folder, url)


def test_a_rule_with_other_words_goes_on(folder: Path, url: str) -> None:
    applied(folder, url)
    text = (folder / "rules" / "care.yaml").read_text("utf-8")
    write(folder, {"rules/care.yaml": f"# another comment\n\n{text}"})
    assert "care.sos" not in planned(folder, url)
