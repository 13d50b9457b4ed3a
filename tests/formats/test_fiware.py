"""FIWARE parking: every published example, the forms of a message, and the times it can have."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.errors import FormatError
from devices.formats.fiware import TYPES, decode
from devices.metric import BY_NAME
from devices.topic import Direction, UpTopic
from tests.formats.published import messages
from tests.formats.said import understood, values

TOPIC = UpTopic("c", None, Direction.UP, "fiware", "")
NOON = "2018-09-21T12:00:00+00:00"
CHANGED = "2018-09-21T12:00:05+00:00"
STREET = "2018-09-12T12:00:00+00:00"
EARLIER = "2016-06-02T09:25:55+00:00"
PORTO = {"parking_free": 132.0, "parking_capacity": 414.0, "parking_occupied": 282.0}
SANTANDER = {"parking_free": 3.0, "parking_capacity": 6.0, "parking_occupied": 3.0}
GROUP = {"parking_free": 1.0, "parking_capacity": 2.0}
SPOT = {"occupied": 0.0}
MEANT: dict[str, tuple[str, dict[str, float], dict[str, str | None]]] = {
    "OffStreetParking example-geojsonfeature.json": (
        "urn:ngsi-ld:OffStreetParking:porto-ParkingLot-23889",
        PORTO,
        {"parking_free": NOON, "parking_capacity": CHANGED, "parking_occupied": CHANGED},
    ),
    "OffStreetParking example-normalized.json": (
        "porto-ParkingLot-23889",
        PORTO,
        {"parking_free": NOON, "parking_capacity": CHANGED, "parking_occupied": CHANGED},
    ),
    "OffStreetParking example-normalized.jsonld": (
        "urn:ngsi-ld:OffStreetParking:porto-ParkingLot-23889",
        PORTO,
        {"parking_free": NOON},
    ),
    "OffStreetParking example.json": (
        "porto-ParkingLot-23889",
        PORTO,
        dict.fromkeys(PORTO, CHANGED),
    ),
    "OffStreetParking example.jsonld": (
        "urn:ngsi-ld:OffStreetParking:porto-ParkingLot-23889",
        PORTO,
        {},
    ),
    "OnStreetParking example-geojsonfeature.json": (
        "urn:ngsi-ld:OnStreetParking:santander:daoiz_velarde_1_5",
        SANTANDER,
        {"parking_free": STREET, "parking_occupied": STREET, "parking_capacity": EARLIER},
    ),
    # the counts' own time has no offset: it is no instant, and later than the entity's
    "OnStreetParking example-normalized.json": (
        "santander:daoiz_velarde_1_5",
        SANTANDER,
        {"parking_capacity": EARLIER},
    ),
    "OnStreetParking example-normalized.jsonld": (
        "urn:ngsi-ld:OnStreetParking:santander:daoiz_velarde_1_5",
        SANTANDER,
        {"parking_free": STREET, "parking_occupied": STREET},
    ),
    "OnStreetParking example.json": (
        "santander:daoiz_velarde_1_5",
        SANTANDER,
        dict.fromkeys(SANTANDER, EARLIER),
    ),
    "OnStreetParking example.jsonld": (
        "urn:ngsi-ld:OnStreetParking:santander:daoiz_velarde_1_5",
        SANTANDER,
        {},
    ),
    "ParkingGroup example-normalized.json": ("daoiz-velarde-1-5-disabled", GROUP, {}),
    "ParkingGroup example-normalized.jsonld": (
        "urn:ngsi-ld:ParkingGroup:daoiz-velarde-1-5-disabled",
        GROUP,
        {"parking_free": STREET},
    ),
    "ParkingGroup example.json": ("daoiz-velarde-1-5-disabled", GROUP, {}),
    "ParkingGroup example.jsonld": (
        "urn:ngsi-ld:ParkingGroup:daoiz-velarde-1-5-disabled",
        GROUP,
        {},
    ),
    "ParkingSpot example-geojsonfeature.json": (
        "urn:ngsi-ld:ParkingSpot:santander:daoiz_velarde_1_5:3",
        SPOT,
        {"occupied": NOON},
    ),
    # its time has no offset
    "ParkingSpot example-normalized.json": ("santander:daoiz_velarde_1_5:3", SPOT, {}),
    "ParkingSpot example-normalized.jsonld": (
        "urn:ngsi-ld:ParkingSpot:santander:daoiz_velarde_1_5:3",
        SPOT,
        {"occupied": NOON},
    ),
    "ParkingSpot example.json": ("santander:daoiz_velarde_1_5:3", SPOT, {}),
    "ParkingSpot example.jsonld": (
        "urn:ngsi-ld:ParkingSpot:santander:daoiz_velarde_1_5:3",
        SPOT,
        {},
    ),
}
"""Device, values and the times of those that tell one."""

BAY = {"id": "bay-1", "type": "ParkingSpot", "status": "occupied"}


def test_every_published_example_has_its_meaning() -> None:
    seen = set()
    for message in messages("fiware_parking"):
        name, said = message["meaning"], understood(decode, message["payload"])
        seen.add(name)
        if name.startswith("ParkingAccess"):
            assert said["rejected"] == (
                "no_reading: entity 1 ('urn:ngsi-ld:ParkingAccess:accesspoint-trinidade-1')"
                " tells nothing that is measured"
            )
            continue
        device, meant, times = MEANT[name]
        assert values(said) == meant, name
        assert {one["device"] for one in said["readings"]} == {device}
        assert {r["metric"]: r["time"] for r in said["readings"] if r["time"]} == times, name
        assert "problems" not in said
    assert len(seen) == 23


@pytest.mark.parametrize(
    "payload",
    [
        BAY,
        [BAY],
        {"subscriptionId": "s", "data": [BAY]},
        {"id": "urn:n", "type": "Notification", "subscriptionId": "s", "data": [BAY]},
        {"data": [BAY]},
        BAY | {"status": {"type": "Text", "value": "Occupied", "metadata": {}}},
        BAY | {"status": {"value": "occupied"}},
        BAY | {"type": "https://uri.fiware.org/ns/data-models#ParkingSpot"},
        BAY | {"type": ["Device", "https://smartdatamodels.org/dataModel.Parking/ParkingSpot"]},
        {"@id": "bay-1", "@type": "ParkingSpot", "status": "occupied"},
        {
            "type": "FeatureCollection",
            "features": [{"id": "bay-1", "type": "Feature", "properties": BAY}],
        },
    ],
)
def test_forms_of_a_message(payload: Any) -> None:
    said = understood(decode, payload)
    assert values(said) == {"occupied": 1.0}
    assert said["readings"][0]["device"] == "bay-1"


@pytest.mark.parametrize(
    ("status", "entity", "time"),
    [
        ({"observedAt": "2018-09-21T14:00:00+02:00"}, {"dateModified": CHANGED}, NOON),
        ({"metadata": {"TimeInstant": {"type": "DateTime", "value": NOON}}}, {}, NOON),
        ({"metadata": {"TimeInstant": {"value": NOON}, "timestamp": {"value": CHANGED}}}, {}, NOON),
        ({}, {"dateObserved": NOON, "modifiedAt": CHANGED}, NOON),
        ({}, {"dateObserved": {"type": "DateTime", "value": NOON}}, NOON),
        ({}, {"dateModified": {"value": {"@type": "DateTime", "@value": NOON}}}, NOON),
        ({}, {"modifiedAt": NOON}, NOON),
        ({"observedAt": "2018-09-21T12:00:00"}, {"modifiedAt": NOON}, None),
        ({}, {"dateObserved": "2018-09-21T12:00:00Z/2018-09-21T13:00:00Z"}, None),
        ({}, {"dateObserved": 5}, None),
        ({}, {}, None),
    ],
)
def test_time(status: dict[str, Any], entity: dict[str, Any], time: str | None) -> None:
    said = understood(decode, BAY | {"status": {"value": "free"} | status} | entity)
    assert said["readings"][0]["time"] == time


def test_an_entity_that_cannot_be_read_does_not_spoil_the_others() -> None:
    said = understood(
        decode,
        [
            BAY | {"status": "closed"},
            BAY | {"id": 5},
            BAY | {"id": "bay-2", "status": "broken"},
            {"id": "lot", "type": "OffStreetParking", "availableSpotNumber": "12",
             "totalSpotNumber": True, "occupiedSpotNumber": [1, 2]},
            {"id": "lamp", "type": "Streetlight"},
            BAY,
        ],
    )  # fmt: skip
    assert [(r["device"], r["metric"], r["value"]) for r in said["readings"]] == [
        ("lot", "parking_free", 12.0),
        ("bay-1", "occupied", 1.0),
    ]
    assert said["problems"] == [
        "bad_payload: entity 4 ('lot'): 'totalSpotNumber' is True, not a number",
        "bad_payload: entity 4 ('lot'): 'occupiedSpotNumber' is [1, 2], not a number",
        "bad_payload: entity 2 has the id 5, not a text",
        (
            "bad_payload: entity 3 ('bay-2'): 'status' is 'broken', not 'occupied', 'free',"
            " 'closed' or 'unknown'"
        ),
    ]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("{", "bad_payload: payload is not JSON"),
        ("[]", "no_reading: it holds no entity"),
        ("5", "bad_payload: entity 1 is 5, not an object"),
        ({}, "bad_payload: entity 1 has the id None, not a text"),
        ({"data": 5}, "bad_payload: entity 1 is 5, not an object"),
        ({"id": "a"}, "bad_payload: entity 1 has the type None, not a text"),
        ({"id": "a", "type": "Streetlight"}, "no_reading: entity 1 is of type 'Streetlight', not"),
        ({"id": "a", "type": "Feature"}, "bad_payload: entity 1: 'properties' is None"),
        (BAY | {"status": "closed"}, "no_reading: entity 1 ('bay-1'): 'status' is 'closed': it"),
        (BAY | {"status": "unknown"}, "no_reading: entity 1 ('bay-1'): 'status' is 'unknown'"),
        (BAY | {"status": "yes"}, "bad_payload: entity 1 ('bay-1'): 'status' is 'yes', not"),
        (BAY | {"status": 1}, "bad_payload: entity 1 ('bay-1'): 'status' is 1, not"),
        (BAY | {"status": None}, "bad_payload: entity 1 ('bay-1'): 'status' is None, not"),
        ({"id": "bay-1", "type": "ParkingSpot"}, "no_reading: entity 1 ('bay-1') tells nothing"),
    ],
)
def test_refused_with_a_reason(payload: Any, reason: str) -> None:
    assert understood(decode, payload)["rejected"].startswith(reason)


def test_every_attribute_is_a_metric() -> None:
    assert {m.metric for table in TYPES.values() for m in table.values()} <= BY_NAME.keys()


def checked(payload: bytes) -> None:
    try:
        seen = decode(TOPIC, payload)
    except FormatError:
        return
    for one in seen:
        assert one.values
        assert one.device
        assert all(math.isfinite(value) for value in one.values.values())


KEYS = ["id", "type", "value", "observedAt", "metadata", "TimeInstant", "data", "properties"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from([*TYPES, "free", "12", NOON, "0001-01-01T00:00:00+12:00", "Feature"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=6,
)  # fmt: skip
ENTITY = st.builds(
    lambda known, other: known | other,
    st.fixed_dictionaries({"id": st.just("a"), "type": st.sampled_from([*TYPES])}),
    st.dictionaries(
        st.sampled_from(["status", "availableSpotNumber", "totalSpotNumber", "dateObserved"]), JSON
    ),
)


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(),
        ENTITY.map(lambda e: json.dumps(e).encode()),
        st.lists(ENTITY | JSON, max_size=3).map(lambda e: json.dumps({"data": e}).encode()),
        JSON.map(lambda j: json.dumps(j).encode()),
    ),
    st.integers(0, 200),
    st.binary(max_size=3),
)
def test_nothing_but_a_format_error_is_raised(payload: bytes, at: int, put: bytes) -> None:
    checked(payload)
    checked(payload[:at] + put + payload[at + len(put) :])
