"""`gridwarden decode`: what a format makes of messages, for a person with a new device."""

import base64
import binascii
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import orjson
import typer

from devices import formats
from devices.formats.explain import Understood, explain
from devices.formats.memory import Notes

Name = Annotated[
    str, typer.Argument(metavar="FORMAT", help=f"One of: {', '.join(sorted(formats.BY_NAME))}.")
]
File = Annotated[
    Path | None,
    typer.Argument(metavar="[FILE]", help="Messages, one JSON object a line; none or -: stdin."),
]


def decode(name: Name, file: File = None) -> None:
    """Say what a format makes of messages: one JSON object a line in, one a line out.

    A line is {"topic": …, "payload": …}. The topic is the vendor's own and may be null. A payload
    that is a text is taken as it is, a list of bytes as bytes, anything else as JSON; beside
    "encoding": "base64" or "hex" a text is decoded first.

    Out comes {"readings": […], "events": […]}, with "problems" for what was refused beside them, or
    {"rejected": "reason: what is wrong"}. What a line announces (a birth of Sparkplug B, an entity
    of Home Assistant) is known to the lines after it. Exits with 0 unless the file cannot be read.
    """
    if name not in formats.BY_NAME:
        known = ", ".join(sorted(formats.BY_NAME))
        typer.echo(f"error: no format {name!r}; there are: {known}", err=True)
        raise typer.Exit(2)
    read = formats.reader(name, Notes())
    try:
        for line in _lines(file):
            if line.strip():
                sys.stdout.buffer.write(orjson.dumps(_understood(read, line)) + b"\n")
    except OSError as error:
        typer.echo(f"error: {file}: {error.strerror or error}", err=True)
        raise typer.Exit(1) from None


def _lines(file: Path | None) -> Iterator[bytes]:
    if file is None or str(file) == "-":
        yield from sys.stdin.buffer
    else:
        with file.open("rb") as lines:
            yield from lines


def _understood(read: formats.Format, line: bytes) -> Understood:
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return {"rejected": f"the line is not JSON: {error}"}
    if not isinstance(message, dict) or "payload" not in message:
        return {"rejected": 'the line is not {"topic": …, "payload": …}'}
    topic = message.get("topic")
    try:
        payload = _bytes(message["payload"], message.get("encoding"))
    except ValueError as error:
        return {"rejected": f"the payload cannot be read: {error}"}
    return explain(read, topic if isinstance(topic, str) else None, payload)


def _bytes(payload: object, encoding: object) -> bytes:
    if isinstance(payload, str):
        if encoding == "base64":
            return base64.b64decode(payload, validate=True)
        if encoding == "hex":
            return binascii.unhexlify(payload)
        return payload.encode()
    if isinstance(payload, list) and payload and all(type(b) is int for b in payload):
        return bytes(payload)
    return orjson.dumps(payload)
