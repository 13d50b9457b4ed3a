"""The shipped library is sound and complete in its texts; the command shows it."""

from typer.testing import CliRunner

from gridwarden.cli import app
from gridwarden.rule_library import library_rules, library_texts
from rules.entry import LANGUAGES


def call(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["rules", "library", *words])
    return result.exit_code, result.stdout, result.stderr


def test_every_rule_says_what_to_do_where_it_comes_from_and_how_to_tune_it() -> None:
    for rule in library_rules():
        for texts in (rule.title, rule.advice, rule.basis, rule.tuning):
            assert sorted(texts) == sorted(LANGUAGES), rule.code
            assert all(text == text.strip() != "" for text in texts.values()), rule.code
            assert not texts["en"].isascii() or texts["zh"] != texts["en"], rule.code


def test_all_files_are_listed_with_their_rules() -> None:
    code, output, _ = call()
    assert code == 0
    rules = library_rules()
    assert [line.split()[0] for line in output.splitlines()] == [rule.code for rule in rules]
    assert {rule.source for rule in rules} == set(library_texts())


def test_one_file_in_chinese() -> None:
    code, output, _ = call("safety", "--language", "zh")
    assert code == 0
    assert all(line.startswith("safety.") for line in output.splitlines())
    assert "烟雾报警" in output


def test_a_rule_whole() -> None:
    code, output, _ = call("care.sos")
    assert code == 0
    head, rest = output.split("\n", 1)
    assert head.startswith("# library/care.yaml:")
    assert rest.startswith("- id: care.sos\n")
    assert "tuning:" in rest
    assert "- id:" not in rest[5:]


def test_what_is_not_there() -> None:
    assert call("care.soz")[0::2] == (
        1,
        "The library has no 'care.soz': did you mean 'care.sos'?\n",
    )
    assert call("--language", "fr")[0::2] == (2, "--language 'fr' is neither en nor zh\n")
