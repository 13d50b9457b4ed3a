"""`gridwarden rules check`."""

from pathlib import Path

from typer.testing import CliRunner

from gridwarden.cli_rules import rules_app

EXAMPLES = Path(__file__).parents[2] / "examples" / "site" / "rules"
BAD = "- id: a.b\n  category: c\n  watch: {metric: spo3}\n  when: value = 1\n  severity: red\n"


def check(*paths: Path) -> tuple[int, str]:
    result = CliRunner().invoke(rules_app, ["check", *map(str, paths)])
    return result.exit_code, result.output


def test_says_how_many_rules_are_fine() -> None:
    code, output = check(EXAMPLES)
    assert code == 0
    assert output == "46 rules in 2 files, all fine.\n"


def test_lists_every_mistake_and_fails(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(BAD, "utf-8")
    code, output = check(tmp_path, EXAMPLES, tmp_path / "missing.yaml")
    assert code == 1
    lines = output.splitlines()
    assert lines[-1] == "4 problems; nothing of this may be used."
    assert [line.split(": ")[0].rsplit(":", 1)[1] for line in lines[:-1]] == ["1", "3", "4", "0"]


def test_a_folder_without_rule_files_is_a_mistake(tmp_path: Path) -> None:
    code, output = check(tmp_path)
    assert code == 1
    assert "no rule files (*.yaml) in this folder" in output


def test_tests_beside_the_rules_are_no_rules() -> None:
    code, output = check(EXAMPLES.parents[2] / "rules" / "library")
    assert (code, output.split(" in ")[1]) == (0, "6 files, all fine.\n")
