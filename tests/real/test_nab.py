"""What a baseline finds of the anomalies that others labelled in recorded data."""

import pytest

from tests.real import nab
from tests.real.source import DATA, needs_data


@needs_data
def test_most_labelled_windows_hold_an_alert_and_alerts_outside_them_are_few_a_day(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """13 of 16 windows; of 154 alerts in 523 days of sensors 123 lie outside them.

    So four of five alerts are not what the labels call odd: enough to inform, not to call anybody.
    The bounds are what was measured: who changes a baseline shall see whether it finds less.
    """
    found = {name: nab.judge(DATA / "nab", name) for name in nab.SERIES}
    whole = nab.total(found.values())
    with capsys.disabled():
        print()
        for name, one in found.items():
            print(f"  {name}: {one}")
        print(f"  together: {whole}")
    assert whole.windows == 16
    assert whole.found >= 13
    assert whole.outside <= 123
