"""The broker as its administrator: commands to the dynamic security plugin, and its answers.

The plugin's MQTT interface: https://mosquitto.org/documentation/dynamic-security/
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from secrets import token_hex
from typing import Any

import aiomqtt
import orjson

from devices.accounts.account import Entry
from devices.accounts.commands import Command
from devices.accounts.difference import Client, Held
from devices.accounts.errors import ControlError, Refusal, RefusedError

_TOPIC = "$CONTROL/dynamic-security/v1"
_ANSWERS = f"{_TOPIC}/response"
_PAGE = 500
"""Accounts or roles asked for at once."""

BATCH = 20
"""Commands in one message: the broker does nothing else meanwhile."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where and as whom to administer a broker. tls: None speaks in the clear · timeout: s."""

    host: str
    port: int
    username: str | None
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None = None
    timeout: float = 60.0


@asynccontextmanager
async def administer(door: Door) -> AsyncIterator["Control"]:
    """A connection for commands; ControlError where the broker does not let us."""
    client = aiomqtt.Client(
        door.host,
        door.port,
        username=door.username,
        password=door.password,
        identifier=f"gridwarden-accounts-{token_hex(4)}",
        protocol=aiomqtt.ProtocolVersion.V5,
        tls_context=door.tls,
        timeout=min(door.timeout, 10.0),
        max_queued_incoming_messages=0,
    )
    where = f"the broker at {door.host}:{door.port}"
    try:
        async with client:
            granted = await client.subscribe(_ANSWERS, qos=1)
            if any(reason.is_failure for reason in granted):  # type: ignore[union-attr]
                raise ControlError(f"{where} does not let {door.username!r} administer it")
            yield Control(client, where, door.timeout)
    except (aiomqtt.MqttError, OSError) as error:
        raise ControlError(f"{where}, as {door.username!r}: {error}") from None


class Control:
    """Sends commands and waits for their answers; one caller at a time."""

    def __init__(self, client: aiomqtt.Client, where: str, timeout: float) -> None:
        self._client = client
        self._where = where
        self._timeout = timeout
        self._ours = token_hex(4)
        self._numbers = count()

    async def run(self, commands: Sequence[Command]) -> list[Refusal]:
        """Carry them out in order, in messages of a few; those that the broker refused.

        ControlError if it does not answer in time: what was sent may have been carried out.
        """
        refused: list[Refusal] = []
        for start in range(0, len(commands), BATCH):
            batch = commands[start : start + BATCH]
            for command, answer in zip(batch, await self._ask(batch), strict=True):
                if "error" in answer:
                    words = str(answer["error"])
                    refused.append(Refusal(command.subject, command.name, words))
        return refused

    async def carry_out(self, commands: Sequence[Command]) -> None:
        """As `run`, but RefusedError if any was refused."""
        refused = await self.run(commands)
        if refused:
            raise RefusedError(refused)

    async def held(self) -> Held:
        """Everything that the broker has."""
        default, group = await self._data(
            Command("getDefaultACLAccess", "everybody"), Command("getAnonymousGroup", "everybody")
        )
        clients = [_client(each) async for each in self._all("listClients", "clients")]
        roles = {
            str(each["rolename"]): _entries(each) async for each in self._all("listRoles", "roles")
        }
        return Held(
            {each.username: each for each in clients},
            roles,
            {each["acltype"]: bool(each["allow"]) for each in default["acls"]},
            group.get("group", {}).get("groupname") or None,
        )

    async def _all(self, command: str, what: str) -> AsyncIterator[dict[str, Any]]:
        for offset in count(0, _PAGE):
            fields = {"verbose": True, "count": _PAGE, "offset": offset}
            (data,) = await self._data(Command(command, "everybody", fields))
            for each in data[what]:
                yield each
            if offset + _PAGE >= data["totalCount"]:
                return

    async def _data(self, *commands: Command) -> list[dict[str, Any]]:
        answers = await self._ask(commands)
        refused = [
            Refusal(command.subject, command.name, str(answer["error"]))
            for command, answer in zip(commands, answers, strict=True)
            if "error" in answer
        ]
        if refused:
            raise RefusedError(refused)
        return [answer.get("data", {}) for answer in answers]

    async def _ask(self, commands: Sequence[Command]) -> list[Mapping[str, Any]]:
        """The answers in the order of the commands. Other administrators' answers come here too."""
        marks = [f"{self._ours}-{next(self._numbers)}" for _ in commands]
        bodies = [
            command.body() | {"correlationData": mark}
            for command, mark in zip(commands, marks, strict=True)
        ]
        try:
            async with asyncio.timeout(self._timeout):
                await self._client.publish(_TOPIC, orjson.dumps({"commands": bodies}), qos=1)
                return await self._answers(marks)
        except TimeoutError:
            raise ControlError(
                f"{self._where} did not answer within {self._timeout:g} s; is its dynamic security "
                "plugin loaded (deploy/mosquitto/mosquitto.conf)?"
            ) from None

    async def _answers(self, marks: Sequence[str]) -> list[Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        async for message in self._client.messages:
            found |= _by_mark(message.payload)
            if all(mark in found for mark in marks):
                return [found[mark] for mark in marks]
        raise ControlError(f"{self._where} ended the connection")


def _by_mark(payload: object) -> dict[str, Mapping[str, Any]]:
    try:
        answers = orjson.loads(payload)["responses"]  # type: ignore[arg-type]
        return {str(answer.get("correlationData")): answer for answer in answers}
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return {}


def _client(found: Mapping[str, Any]) -> Client:
    return Client(
        str(found["username"]),
        found.get("clientid"),
        bool(found.get("disabled", False)),
        tuple(str(role["rolename"]) for role in found.get("roles", ())),
        tuple(str(group["groupname"]) for group in found.get("groups", ())),
    )


def _entries(found: Mapping[str, Any]) -> frozenset[Entry]:
    return frozenset(
        Entry(
            str(each["acltype"]),
            str(each["topic"]),
            bool(each.get("allow", False)),
            int(each.get("priority", 0)),
        )
        for each in found.get("acls", ())
    )
