"""`gridwarden site`: what a manager sees, and what the database says afterwards."""

from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from gridwarden.cli_site import site_app
from tests.gridwarden import several
from tests.gridwarden.test_site import CARE, duty, write

runner = CliRunner()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound site folder with a rule."""
    return write(tmp_path / "site", CARE | {"duties.yaml": duty("lvyuan", "[care]")})


@pytest.fixture
def url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test's database, where the command looks for it."""
    monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", database_url)
    return database_url


def versions(url: str) -> int:
    """How many site versions the database has."""
    with psycopg.connect(url) as conn:
        ((number,),) = conn.execute("SELECT count(*) FROM site_versions").fetchall()
    return int(number)


def test_check_says_what_is_there(folder: Path) -> None:
    result = runner.invoke(site_app, ["check", str(folder)])
    assert result.exit_code == 0
    assert result.output == (
        "Lvyuan is sound: areas 5, households 2, devices 3, members 2, duties 1, rules 1.\n"
    )


def test_check_tells_every_problem_where_it_is_and_fails(folder: Path) -> None:
    write(folder, {"members.yaml": "- {cod: wang}\n", "rules/care.yaml": "- id: X\n"})
    result = runner.invoke(site_app, ["check", str(folder)])
    assert result.exit_code == 1
    assert (
        f"{folder}/members.yaml:1: unknown key 'cod'\n    did you mean 'code'?\n" in result.output
    )
    assert f"{folder}/rules/care.yaml:1: " in result.output
    assert f"{folder}: problems " in result.output


def test_check_warns_of_a_hole_and_succeeds(folder: Path) -> None:
    write(folder, {"duties.yaml": ""})
    result = runner.invoke(site_app, ["check", str(folder)])
    assert result.exit_code == 0
    assert "duties.yaml:1: warning: nobody is on duty for 'care' at building-1\n" in result.output


def test_check_of_a_folder_that_is_not_there(tmp_path: Path) -> None:
    result = runner.invoke(site_app, ["check", str(tmp_path / "nowhere")])
    assert result.exit_code == 1
    assert f"{tmp_path}/nowhere:1: there is no such folder\n" in result.output


def test_apply_shows_asks_and_applies(folder: Path, url: str) -> None:
    result = runner.invoke(site_app, ["apply", str(folder)], input="y\n")
    assert result.exit_code == 0
    assert "device added: 3\n    lvyuan/bay-1\n" in result.output
    assert "rule added: 1\n    care.sos\n" in result.output
    assert result.output.endswith("Applied as version 1: 15 added.\n")
    assert versions(url) == 1


def test_apply_again_has_nothing_to_change(folder: Path, url: str) -> None:
    runner.invoke(site_app, ["apply", str(folder), "--yes"])
    result = runner.invoke(site_app, ["apply", str(folder)])
    assert result.exit_code == 0
    assert result.output.endswith("Nothing to change: the database says what the folder says.\n")
    assert versions(url) == 1


@pytest.mark.parametrize(("options", "answer", "code"), [([], "n\n", 1), (["--dry-run"], "", 0)])
def test_apply_changes_nothing_without_consent(
    folder: Path, url: str, options: list[str], answer: str, code: int
) -> None:
    result = runner.invoke(site_app, ["apply", str(folder), *options], input=answer)
    assert result.exit_code == code
    assert "device added: 3\n" in result.output
    assert versions(url) == 0


def test_apply_makes_only_the_changes_that_were_shown(
    folder: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def agree_after_another_apply(*_: object, **__: object) -> bool:
        monkeypatch.undo()
        monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", url)
        assert runner.invoke(site_app, ["apply", str(folder), "--yes"]).exit_code == 0
        return True

    monkeypatch.setattr("typer.confirm", agree_after_another_apply)
    result = runner.invoke(site_app, ["apply", str(folder)])
    assert result.exit_code == 1
    assert "Somebody else applied a site meanwhile" in result.output
    assert versions(url) == 1


def test_apply_to_a_database_without_tables(
    folder: Path, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", empty_database_url)
    result = runner.invoke(site_app, ["apply", str(folder), "--yes"])
    assert result.exit_code == 1
    assert result.output.endswith("no Gridwarden tables: run `gridwarden migrate`.\n")


def test_apply_to_no_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", "postgresql://127.0.0.1:1/x?connect_timeout=5")
    result = runner.invoke(site_app, ["apply", str(folder), "--yes"])
    assert result.exit_code == 1
    assert "The database cannot be used: " in result.output
    assert "Is GRIDWARDEN_DATABASE_URL right, and the server up?" in result.output


def test_apply_says_which_rule_several_workers_do_not_judge(url: str, tmp_path: Path) -> None:
    folder = several.write(tmp_path, ["lvyuan"], several.RULES + several.STREET)
    result = runner.invoke(site_app, ["apply", str(folder), "--dry-run"])
    assert "none of the" not in result.output
    with psycopg.connect(url) as conn:
        conn.execute("INSERT INTO shard_layout (shards) VALUES (2)")
    result = runner.invoke(site_app, ["apply", str(folder), "--dry-run"])
    assert result.exit_code == 0
    assert "warning: safety.many_alarms: over areas above the community, so none of the 2" in (
        result.output
    )
