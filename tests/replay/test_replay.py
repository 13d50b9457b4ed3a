"""A recorded file becomes messages, or every mistake in it with its line."""

from zoneinfo import ZoneInfo

import orjson
import pytest

from devices.errors import Problem
from devices.instant import SECOND
from gridwarden.replay import Reader, Recorded, check, messages

HEADER = "time,device,metric,value,community,attributes"


def read(*lines: str, header: str = HEADER, reader: Reader | None = None) -> list[object]:
    return list((reader or Reader("f.csv", "hx")).read([header, *lines]))


def test_values_of_one_device_at_one_instant_become_one_message() -> None:
    rows = read(
        "2026-03-01T08:00:00+08:00,v1,systolic,128,,",
        "2026-03-01T08:00:00+08:00,v1,diastolic,78,,",
        "2026-03-01T08:00:00+08:00,v2,pulse,70,ny,",
    )
    first, second = messages(r for r in rows if isinstance(r, Recorded))
    assert first.topic == "gw/v1/hx/v1/up"
    assert orjson.loads(first.payload) == {
        "ts": 1_772_323_200_000,
        "values": {"systolic": 128.0, "diastolic": 78.0},
    }
    assert second.topic == "gw/v1/ny/v2/up"
    assert first.due == 1_772_323_200 * SECOND


def test_a_metric_said_twice_and_other_attributes_make_other_messages() -> None:
    at = "2026-03-01T00:00:00Z,r1,access_granted,1,hx"
    rows = read(
        f'{at},"{{""credential"": ""a""}}"', f'{at},"{{""credential"": ""b""}}"', f"{at},", f"{at},"
    )
    made = list(messages(r for r in rows if isinstance(r, Recorded)))
    said = [orjson.loads(m.payload).get("attributes", {}).get("credential") for m in made]
    assert said == ["a", "b", None, None]


def test_microseconds_are_kept() -> None:
    (row,) = read("2026-03-01T00:00:00.000123Z,r1,pulse,1,,")
    assert isinstance(row, Recorded)
    (message,) = messages([row])
    assert orjson.loads(message.payload)["ts"] == "2026-03-01T00:00:00.000123+00:00"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("yesterday,v1,pulse,70,,", "'yesterday' is not RFC 3339"),
        ("2026-03-01T08:00:00,v1,pulse,70,,", "has no offset; add one, or give --time-zone"),
        ("2026-03-01T08:00:00Z,v 1,pulse,70,,", "device 'v 1' is not a code"),
        ("2026-03-01T08:00:00Z,v1,puls,70,,", "did you mean 'pulse'"),
        ("2026-03-01T08:00:00Z,v1", "nothing in metric, value"),
        ("2026-03-01T08:00:00Z,v1,pulse,70,,,80", "more fields than the header"),
        ("2026-03-01T08:00:00Z,v1,pulse,seventy,,", "value 'seventy' is not a number"),
        ("2026-03-01T08:00:00Z,v1,pulse,nan,,", "value 'nan' is not a finite number"),
        ("2026-03-01T08:00:00Z,v1,pulse,70,,[1]", "are not a JSON object"),
    ],
)
def test_a_bad_line_is_told_with_its_number(line: str, says: str) -> None:
    good = "2026-03-01T08:00:00Z,v1,pulse,70,,"
    first, second, third = read(good, line, good)
    assert isinstance(second, Problem)
    assert second.line == 3
    assert says in second.what
    assert isinstance(first, Recorded)
    assert isinstance(third, Recorded)


def test_what_is_no_csv_ends_the_reading_and_is_told() -> None:
    good = "2026-03-01T08:00:00Z,v1,pulse,70,,"
    first, problem = read(good, f"2026-03-01T08:00:00Z,{'v' * 200_000},pulse,70,,", good)
    assert isinstance(first, Recorded)
    assert isinstance(problem, Problem)
    assert problem.line == 3
    assert "not readable as CSV from here on: field larger than field limit" in problem.what
    (problem,) = read(good, header="v" * 200_000)
    assert isinstance(problem, Problem)
    assert "not readable as CSV" in problem.what


def test_a_file_without_the_columns_is_one_problem() -> None:
    (problem,) = read("1,2", header="time,value")
    assert isinstance(problem, Problem)
    assert "missing columns ['device', 'metric']" in str(problem)


def test_no_community_anywhere_names_the_option() -> None:
    (problem,) = read("2026-03-01T08:00:00Z,v1,pulse,70,,", reader=Reader("f.csv"))
    assert isinstance(problem, Problem)
    assert "--community" in problem.what


def test_local_times_are_of_the_given_zone() -> None:
    reader = Reader("f.csv", "hx", ZoneInfo("Asia/Shanghai"))
    local, utc = read(
        "2026-03-01T08:00:00,v1,pulse,70,,", "2026-03-01T00:00:00Z,v1,pulse,70,,", reader=reader
    )
    assert isinstance(local, Recorded)
    assert isinstance(utc, Recorded)
    assert local.time == utc.time


def test_check_counts_messages_rows_and_mistakes() -> None:
    lines = [HEADER, "2026-03-01T08:00:00Z,v1,pulse,70,,", *["x,v1,pulse,70,,"] * 60]
    checked = check(lines, Reader("f.csv", "hx"))
    assert (checked.messages, checked.rows, checked.bad) == (1, 1, 60)
    assert len(checked.problems) == 50
