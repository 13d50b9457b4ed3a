"""`gridwarden rules test`: series in, the alerts that come of them compared with those expected."""

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from devices.errors import Problem

if TYPE_CHECKING:
    from gridwarden.rule_tests import Result, RuleTests

FAILED, WRONG_FILES = 1, 2

TestPaths = Annotated[
    list[Path],
    typer.Argument(help="Test files, and folders with test files (*.yaml) at any depth."),
]


def rules_test(
    paths: TestPaths,
    *,
    text: Annotated[
        str, typer.Option("--filter", help="Only tests with this in 'FILE: NAME'.", metavar="TEXT")
    ] = "",
    junit: Annotated[
        Path | None, typer.Option(help="Write the results here too, as JUnit's XML.")
    ] = None,
) -> None:
    """Play tests of rules and tell every difference; see docs/rules-testing.md.

    Exit code 0: all passed, 1: some failed, 2: a file is wrong or holds no test to run.
    """
    from gridwarden.rule_tests import find_files, read_files

    begun = perf_counter()
    files, problems = find_files(paths)
    read, more = read_files(files)
    problems += more
    for problem in problems:
        typer.echo(str(problem), err=True)
    results = {} if problems else {str(t.path): _run(t, text) for t in read}
    results = {source: own for source, own in results.items() if own}
    if junit is not None:
        _write(junit, results, problems)
    if problems:
        typer.echo(f"Problems: {len(problems)}; nothing was tested.", err=True)
        raise typer.Exit(WRONG_FILES)
    if not results:
        typer.echo(f"No test to run{f' with {text!r} in it' if text else ''}.", err=True)
        raise typer.Exit(WRONG_FILES)
    failed = _sum_up(results, perf_counter() - begun)
    if not text:
        _tell_untested(read, results)
    raise typer.Exit(FAILED if failed else 0)


def _run(tests: "RuleTests", text: str) -> "list[Result]":
    """The results of this file's tests that are asked for, told as they come."""
    from gridwarden.rule_tests import run

    results = []
    for case in tests.cases:
        if text not in f"{tests.path}: {case.name}":
            continue
        result = run(tests, case)
        results.append(result)
        if not result.passed:
            typer.echo(f"FAILED {tests.path}:{case.line}: {case.name}")
            typer.echo("\n".join(f"    {line}" for line in result.lines))
    if results:
        passed = sum(result.passed for result in results)
        typer.echo(f"{tests.path}: {passed} of {len(results)} passed")
    return results


def _sum_up(results: "dict[str, list[Result]]", took: float) -> int:
    """Say how many passed and failed; returns how many failed."""
    told = [result.passed for own in results.values() for result in own]
    failed = told.count(False)
    typer.echo(f"{told.count(True)} passed, {failed} failed in {took:.1f} s")
    return failed


def _tell_untested(read: "list[RuleTests]", results: "dict[str, list[Result]]") -> None:
    """Name the rules that no test makes fire: nothing shows that they ever would."""
    known = {code for tests in read for code, rule in tests.scene.rules.items() if rule.told}
    fired = {rule for own in results.values() for result in own for rule in result.fired}
    if known - fired:
        typer.echo(f"No test makes these fire: {', '.join(sorted(known - fired))}")


def _write(path: Path, results: "dict[str, list[Result]]", problems: list[Problem]) -> None:
    from gridwarden import junit

    try:
        junit.write(path, results, problems)
    except OSError as error:
        typer.echo(f"{path}: cannot be written: {error.strerror}", err=True)
        raise typer.Exit(WRONG_FILES) from None
