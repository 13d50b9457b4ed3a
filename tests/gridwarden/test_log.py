import logging

import pytest

from gridwarden.log import KeyFormatter


def record(**extra: object) -> logging.LogRecord:
    made = logging.LogRecord("x", logging.WARNING, __file__, 1, "It is so.", (), None)
    vars(made).update(extra)
    return made


def test_a_line_has_level_action_sentence_and_keys() -> None:
    line = KeyFormatter().format(record(action="a.b", seq=7, error="no route"))
    assert line.endswith("WARNING a.b It is so. seq=7 error='no route'")


def test_without_an_action_the_logger_stands_in() -> None:
    assert " x It is so." in KeyFormatter().format(record())


def test_a_traceback_follows_on_its_own_lines() -> None:
    with pytest.raises(ValueError, match="broken") as caught:
        int("broken")
    error = caught.value
    made = record(exc_info=(ValueError, error, error.__traceback__))
    assert "\nTraceback" in KeyFormatter().format(made)
