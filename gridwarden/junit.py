"""Results of rule tests in JUnit's XML, which continuous integration servers show.

The elements and attributes are those that Jenkins' and GitLab's readers share: testsuites,
testsuite, testcase, failure, error.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree as ET

from devices.errors import Problem
from gridwarden.rule_tests import Result

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(path: Path, results: Mapping[str, Sequence[Result]], problems: Iterable[Problem]) -> None:
    """Write the results by test file, and what is wrong in files, to this path; OSError."""
    root = ET.Element("testsuites", name="gridwarden rules test")
    for source, own in results.items():
        root.append(_suite(source, own))
    for source, own_problems in groupby(sorted(problems), lambda problem: problem.source):
        root.append(_broken(source, list(own_problems)))
    ET.indent(root)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _suite(source: str, results: Sequence[Result]) -> ET.Element:
    failed = [result for result in results if not result.passed]
    suite = _element("testsuite", name=source, tests=len(results), failures=len(failed), errors=0)
    suite.set("time", f"{sum(result.took for result in results):.3f}")
    for result in results:
        case = _element("testcase", classname=source, name=result.case.name, file=source)
        case.set("line", str(result.case.line))
        case.set("time", f"{result.took:.3f}")
        if not result.passed:
            failure = _element("failure", message=result.lines[0])
            failure.text = _xml("\n".join(result.lines))
            case.append(failure)
        suite.append(case)
    return suite


def _broken(source: str, problems: Sequence[Problem]) -> ET.Element:
    """A file that cannot be used, with a test that could not be run for each problem in it."""
    count = len(problems)
    suite = _element("testsuite", name=source, tests=count, failures=0, errors=count)
    for problem in problems:
        case = _element("testcase", classname=source, name=f"line {problem.line}", file=source)
        case.set("line", str(problem.line))
        error = _element("error", message=problem.what)
        error.text = _xml(str(problem))
        case.append(error)
        suite.append(case)
    return suite


def _element(tag: str, /, **attributes: object) -> ET.Element:
    return ET.Element(tag, {key: _xml(str(value)) for key, value in attributes.items()})


def _xml(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold (section 2.2)."""
    return _NOT_XML.sub("�", text)
