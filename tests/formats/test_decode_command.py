"""`gridwarden decode`: a line out for every line in, whatever it holds."""

from pathlib import Path

import orjson
from typer.testing import CliRunner

from gridwarden.cli import app
from tests.formats.test_sparkplug import bdseq, degrees, payload

LINES = [
    b'{"topic": "zigbee2mqtt/hall", "payload": {"battery": 90}}',
    b'{"topic": "zigbee2mqtt/hall", "payload": "{\\"battery\\": 91}"}',
    b'{"topic": "zigbee2mqtt/hall", "payload": "7b7d", "encoding": "hex"}',
    b'{"topic": "zigbee2mqtt/hall", "payload": "eyJiYXR0ZXJ5IjogOTJ9", "encoding": "base64"}',
    b'{"topic": "zigbee2mqtt/hall", "payload": [123, 125]}',
    b'{"topic": "zigbee2mqtt/hall", "payload": [999]}',
    b'{"topic": 7, "payload": 7}',
    b"not JSON",
    b"[]",
]


def test_a_line_for_a_line(tmp_path: Path) -> None:
    file = tmp_path / "messages.jsonl"
    file.write_bytes(b"\n".join(LINES) + b"\n\n")
    result = CliRunner().invoke(app, ["decode", "zigbee2mqtt", str(file)])
    said = [orjson.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert len(said) == len(LINES)
    assert [one["readings"][0]["value"] for one in said if "readings" in one] == [90, 91, 92]
    assert [one["rejected"].partition(":")[0] for one in said if "rejected" in one] == [
        "no_reading",
        "no_reading",
        "the payload cannot be read",
        "bad_payload",
        "the line is not JSON",
        'the line is not {"topic"',
    ]


def test_it_reads_what_is_piped_in() -> None:
    result = CliRunner().invoke(app, ["decode", "native"], input='{"payload": {"values": {}}}\n')
    assert result.exit_code == 0
    assert "has neither values nor attributes" in result.stdout


def test_what_cannot_be_read_or_is_not_known_ends_it(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["decode", "native", str(tmp_path / "none")])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "No such file or directory" in result.stderr
    result = CliRunner().invoke(app, ["decode", "morse"])
    assert result.exit_code == 2
    assert "no format 'morse'; there are: " in result.stderr


def test_what_a_line_announces_is_known_to_the_next() -> None:
    config = {"stat_t": "hall/door", "dev_cla": "door", "dev": {"ids": "0xd"}}
    lines = [
        {"topic": "hall/door", "payload": "ON"},
        {"topic": "ha/binary_sensor/door/config", "payload": config},
        {"topic": "hall/door", "payload": "ON"},
    ]
    text = b"\n".join(map(orjson.dumps, lines))
    result = CliRunner().invoke(app, ["decode", "homeassistant"], input=text)
    first, _, last = (orjson.loads(line) for line in result.stdout.splitlines())
    assert first["rejected"].startswith("no_reading: a state cannot be understood")
    (reading,) = last["readings"]
    assert (reading["device"], reading["metric"], reading["value"]) == ("0xd", "door_open", 1.0)


def test_an_alias_is_known_by_the_birth_in_an_earlier_line() -> None:
    messages = [
        ("NBIRTH", payload(bdseq(1), degrees(alias=7), seq=0)),
        ("NDATA", payload({"alias": 7, "float": 20.5}, seq=1)),
    ]
    text = b"\n".join(
        orjson.dumps({"topic": f"spBv1.0/G/{kind}/E", "payload": m.hex(), "encoding": "hex"})
        for kind, m in messages
    )
    result = CliRunner().invoke(app, ["decode", "sparkplug"], input=text)
    (reading,) = orjson.loads(result.stdout.splitlines()[1])["readings"]
    assert (reading["device"], reading["metric"], reading["value"]) == ("G/E", "temperature", 20.5)
