"""docs/settings.md has one row for each setting, as the code has it."""

from pydantic import SecretStr

from gridwarden.settings import Settings
from tests.docs.pages import read


def test_every_setting_is_documented() -> None:
    rows = [line for line in read("docs/settings.md").splitlines() if "GRIDWARDEN_" in line]
    assert rows == [
        f"| `GRIDWARDEN_{name.upper()}` | {_shown(field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return "" if value in {None, ""} else f"`{text}`"
