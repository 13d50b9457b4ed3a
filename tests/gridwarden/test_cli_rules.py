"""`gridwarden rules check`."""

from pathlib import Path

from typer.testing import CliRunner

from gridwarden.cli_rules import rules_app

EXAMPLES = Path(__file__).parents[2] / "examples" / "site" / "rules"
BAD = "- id: a.b\n  category: c\n  watch: {metric: spo3}\n  when: value = 1\n  severity: red\n"


LONG = "the file has 10000002 characters, more than 4000000 (split it into several files)"


def check(*paths: Path) -> tuple[int, str]:
    result = CliRunner().invoke(rules_app, ["check", *map(str, paths)])
    return result.exit_code, result.output


def test_says_how_many_rules_are_fine() -> None:
    code, output = check(EXAMPLES)
    assert code == 0
    assert output == "45 rules in 2 files, all fine.\n"


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


def test_two_hundred_mistakes_are_two_hundred_lines(tmp_path: Path) -> None:
    """And a file with thousands of aliases, or of ten megabytes, is one that is refused at once."""
    one = "- id: a.r{}\n  category: care\n  watch: {{metric: spo3}}\n  when: value <= 91\n"
    text = one + "  severity: red\n  title: {{zh: 名, en: t}}\n"
    (tmp_path / "many.yaml").write_text("".join(text.format(i) for i in range(200)), "utf-8")
    code, output = check(tmp_path)
    *lines, last = output.splitlines()
    assert (code, len(lines), last) == (1, 200, "200 problems; nothing of this may be used.")
    assert {line.split(": ", 1)[0].rsplit(":", 1)[1] for line in lines} == {
        str(3 + 6 * i) for i in range(200)
    }


def test_what_is_not_text_or_too_long_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("- id: a.b\n# caf\u00e9\n".encode("latin-1"))
    (tmp_path / "long.yaml").write_text("# " + "x" * 10_000_000, "utf-8")
    (tmp_path / "marked.yaml").write_bytes(b"\xef\xbb\xbf[]\n")
    code, output = check(tmp_path)
    assert code == 1
    assert output.splitlines() == [
        f"{tmp_path}/latin.yaml:2: byte 0xe9 is not UTF-8 (save the file with the encoding UTF-8)",
        f"{tmp_path}/long.yaml:1: {LONG}",
        "2 problems; nothing of this may be used.",
    ]


def test_a_file_with_an_empty_list_has_no_rules(tmp_path: Path) -> None:
    (tmp_path / "none.yaml").write_text("# to come\n[]\n", "utf-8")
    assert check(tmp_path) == (0, "0 rules in 1 file, all fine.\n")
