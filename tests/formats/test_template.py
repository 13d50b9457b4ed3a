"""Value templates: the forms that need no engine, and nothing else."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import FormatError
from devices.formats.template import State, parse

PAYLOAD = (
    b'{"a": {"b": "3.14159", "n": null}, "l": [1, {"x": true}], "door open": "ON", "items": 2}'
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ value_json.a.b }}", "3.14159"),
        ("{{value_json.a['b']}}", "3.14159"),
        ("{{- value_json['a'][\"b\"] -}}", "3.14159"),
        ("{{ value_json.a.b | float }}", 3.14159),
        ("{{ value_json.a.b|float|round(2) }}", 3.14),
        ("{{ value_json.a.b | int }}", 3),
        ("{{ value_json.a.b | round }}", 3.0),
        ("{{ value_json['door open'] }}", "ON"),
        ("{{ value_json['a'].b | is_defined }}", "3.14159"),
        ("{{ value_json.l[1].x }}", True),
        ("{{ value_json.items }}", 2),
        ("{{ value_json.a.n | float }}", None),
        ("{{ value_json.no.such | float }}", None),
        ("{{ value_json.l[7] }}", None),
        ("{{ value_json.l['x'] }}", None),
        ("{{ value }}", PAYLOAD.decode()),
        ("", PAYLOAD.decode()),
    ],
)
def test_the_value_of_a_template(text: str, value: object) -> None:
    template = parse(text)
    assert template is not None
    assert template.value(State(PAYLOAD)) == value


@pytest.mark.parametrize(
    "text",
    [
        "{{ value_json.a if value_json.b else 0 }}",
        "{{ value_json.a + 1 }}",
        "{{ value_json.a | float(0) }}",
        "{{ value_json.a | default('x') }}",
        "{{ value_json.a | int(base=16) }}",
        "{{ value_json.a() }}",
        "{{ value_json.a | round(n) }}",
        "{{ value_json.a }}{{ value_json.b }}",
        "{% if value %}ON{% endif %}",
        "{{ value.a }}",
        "{{ values }}",
        "{{ value_json[a] }}",
        "{{ value_json['a\\'b'] }}",
        "{{ states('sensor.x') }}",
        "{{ ''.__class__ }}",
        "ON",
        "{{ }}",
        "{{ value_json." + "a" * 300 + " }}",
    ],
)
def test_any_other_is_not_read(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ("{{ value_json.a | float }}", b'{"a": "warm"}'),
        ("{{ value_json.a | int }}", b'{"a": "1e999"}'),
        ("{{ value_json.a | int }}", b'{"a": [1]}'),
        ("{{ value_json.a }}", b"warm"),
        ("{{ value }}", b"\xff"),
    ],
)
def test_what_is_not_there_in_its_form_is_refused(text: str, payload: bytes) -> None:
    template = parse(text)
    assert template is not None
    with pytest.raises(FormatError):
        template.value(State(payload))


@given(st.text(alphabet="{}|.[]'\" valuejson_0()-", max_size=60), st.binary(max_size=30))
def test_no_template_and_no_payload_breaks_it(text: str, payload: bytes) -> None:
    template = parse(text)
    if template is not None:
        with suppress(FormatError):
            template.value(State(payload))
