"""The broker's URL, and that its password is not shown."""

from ingest.address import Address, parse_address


def test_parts_of_the_url_and_their_defaults() -> None:
    assert parse_address("mqtt://broker") == Address("broker", 1883, tls=False)
    assert parse_address("mqtts://u:p%40ss@broker") == Address("broker", 8883, True, "u", "p@ss")
    assert parse_address("mqtt://[::1]:99").port == 99


def test_a_password_is_never_shown() -> None:
    address = parse_address("mqtt://user:secret@broker")
    assert "secret" not in f"{address} {address!r}"
