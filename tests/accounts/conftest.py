"""The service at a broker that wants accounts."""

from collections.abc import Iterator

import pytest

from devices.accounts.account import SERVICE
from tests.accounts.guarded import Guarded
from tests.accounts.party import Party


@pytest.fixture
def listener(guarded: Guarded) -> Iterator[Party]:
    """The service, hearing what ingest hears."""
    with guarded.party(SERVICE, client_id="gridwarden-ingest") as party:
        yield party
