import logging

import pytest

from gridwarden.log import KeyFormatter, Seldom


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


def test_the_same_complaint_is_told_once_a_minute() -> None:
    seldom = Seldom()
    told = []
    for created, message in [(0, "a"), (1, "b"), (59, "a"), (60, "a"), (61, "b"), (62, "b")]:
        made = record()
        made.created, made.msg = 1_000.0 + created, message
        if seldom.filter(made):
            told.append((created, message))
    assert told == [(0, "a"), (1, "b"), (60, "a"), (61, "b")]
