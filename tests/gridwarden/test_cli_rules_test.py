"""`gridwarden rules test`: the example tests pass; failures and wrong files are told."""

from pathlib import Path
from xml.etree import ElementTree as ET

from typer.testing import CliRunner

from gridwarden.cli import app

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "rule-tests"
RULE = """
- id: care.low
  category: care
  watch: {metric: spo2}
  when: spo2 <= 91
  for: 2m
  severity: red
  title: {zh: 名, en: low}
"""
TESTS = """
rules: rules.yaml
inventory:
  devices: {band: wearable}
  duties: [{member: li, categories: [care]}, {member: wang, categories: [care]}]
tests:
  - name: told
    series: {band.spo2: 90 x3 97}
    alerts: [{rule: care.low, from: 2m, until: 3m, to: [li, wang]}]
  - name: not <told>
    series: {band.spo2: 90 x3 97}
    alerts: []
"""


def call(*words: object) -> tuple[int, str, str]:
    """The command's exit code, and what it says on standard output and standard error."""
    result = CliRunner().invoke(app, ["rules", "test", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


def folder(path: Path, tests: str = TESTS, rules: str = RULE) -> Path:
    """A rule file in this folder, and a test file in one below it."""
    (path / "rules.yaml").write_text(rules, "utf-8")
    below = path / "tests"
    below.mkdir()
    file = below / "low.yaml"
    file.write_text(tests.replace("rules.yaml", "../rules.yaml"), "utf-8")
    return file


def test_the_example_tests_pass() -> None:
    code, output, errors = call(EXAMPLES)
    assert (code, errors) == (0, "")
    assert ", 0 failed in " in output


def test_the_tests_of_the_library_pass_and_make_every_rule_fire() -> None:
    code, output, errors = call(ROOT / "rules" / "library" / "tests")
    assert (code, errors) == (0, "")
    assert "No test makes these fire" not in output
    assert ", 0 failed in " in output.splitlines()[-1]
    tested = {path.stem for path in (ROOT / "rules" / "library" / "tests").glob("*.yaml")}
    assert tested == {path.stem for path in (ROOT / "rules" / "library").glob("*.yaml")}


def test_a_failure_is_told_with_its_place_and_exit_code_1(tmp_path: Path) -> None:
    file = folder(tmp_path)
    code, output, errors = call(file.parent)
    assert (code, errors) == (1, "")
    assert output.splitlines()[:-1] == [
        f"FAILED {file}:10: not <told>",
        "    unexpected: care.low at band from 2m (00:02:00), until 3m (00:03:00)",
        f"        why: condition_held since 0s (00:00:00), value 90 ({tmp_path}/rules.yaml:2)",
        f"{file}: 1 of 2 passed",
    ]
    assert output.splitlines()[-1].startswith("1 passed, 1 failed in ")


def test_only_the_tests_asked_for(tmp_path: Path) -> None:
    file = folder(tmp_path)
    code, output, _ = call(file, "--filter", "low.yaml: told")
    assert code == 0
    assert output.splitlines()[0] == f"{file}: 1 of 1 passed"
    code, _, errors = call(file, "--filter", "nonsense")
    assert (code, errors) == (2, "No test to run with 'nonsense' in it.\n")


def test_rules_that_no_test_makes_fire_are_named(tmp_path: Path) -> None:
    other = RULE.replace("care.low", "care.never").replace("<= 91", "<= 51")
    file = folder(tmp_path, rules=RULE + other)
    assert call(file)[1].splitlines()[-1] == "No test makes these fire: care.never"


def test_wrong_files_are_all_told_and_nothing_is_tested(tmp_path: Path) -> None:
    file = folder(tmp_path, TESTS.replace("band.spo2", "bund.spo2"), RULE.replace("91", "ninety"))
    missing = tmp_path / "missing.yaml"
    code, output, errors = call(file, missing, tmp_path / "tests")
    assert (code, output) == (2, "")
    told = errors.splitlines()
    assert told[-1] == "Problems: 2; nothing was tested."
    assert told[0].startswith(f"{missing}:0: cannot be read")
    assert told[1].startswith(f"{tmp_path}/rules.yaml:5: 'when' of rule care.low: unknown name")


def test_mistakes_in_tests_are_told_with_their_lines(tmp_path: Path) -> None:
    file = folder(tmp_path, TESTS.replace("band.spo2", "bund.spo2"))
    code, _, errors = call(file)
    assert code == 2
    assert [line.partition(": ")[0] for line in errors.splitlines()[:-1]] == [
        f"{file}:8",
        f"{file}:11",
    ]
    assert "did you mean 'band'?" in errors


def test_a_site_brings_its_rules_and_its_mistakes(tmp_path: Path) -> None:
    tests = "site: ../site\ntests: [{name: t, alerts: []}]\n"
    file = folder(tmp_path, tests)
    code, _, errors = call(file)
    assert code == 2
    assert errors.startswith(f"{tmp_path}/site:1: there is no such folder")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "site.yaml").write_text("name: n\ntime_zone: UTC\n", "utf-8")
    _, _, errors = call(file)
    assert f"{tmp_path}/site/areas.yaml:1: the file is missing" in errors


def test_an_empty_folder_is_wrong(tmp_path: Path) -> None:
    code, _, errors = call(tmp_path)
    assert code == 2
    assert "no test files (*.yaml) in this folder" in errors


def test_the_results_as_junit_xml(tmp_path: Path) -> None:
    file, report = folder(tmp_path), tmp_path / "report.xml"
    assert call(file, "--junit", report)[0] == 1
    (suite,) = ET.parse(report).getroot()  # noqa: S314 — our own file
    assert {k: v for k, v in suite.attrib.items() if k != "time"} == {
        "name": str(file),
        "tests": "2",
        "failures": "1",
        "errors": "0",
    }
    assert [case.get("name") for case in suite] == ["told", "not <told>"]
    assert [len(case) for case in suite] == [0, 1]
    assert "unexpected: care.low at band" in str(suite[1][0].text)


def test_wrong_files_are_in_the_xml_too(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    assert call(tmp_path / "missing\x01.yaml", "--junit", report)[0] == 2
    (suite,) = ET.parse(report).getroot()  # noqa: S314 — our own file
    assert suite.get("errors") == "1"
    assert "cannot be read" in str(suite[0][0].get("message"))


def test_xml_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    code, _, errors = call(folder(tmp_path), "--junit", tmp_path / "no" / "report.xml")
    assert code == 2
    assert "report.xml: cannot be written" in errors


def test_all_that_is_wrong_in_a_file_is_one_suite_of_the_xml(tmp_path: Path) -> None:
    report, file = tmp_path / "report.xml", tmp_path / "wrong.yaml"
    file.write_text("tests:\n  - nam: x\n  - 5\n", "utf-8")
    assert call(file, "--junit", report)[0] == 2
    (suite,) = ET.parse(report).getroot()  # noqa: S314 — our own file
    assert int(suite.get("tests", "")) == int(suite.get("errors", "")) == len(suite) > 1
    assert all(case.get("file") == str(file) for case in suite)
