"""A rule that is changed, removed or put back while its alert stands: the danger is told again."""

from collections.abc import Sequence

import pytest

from alerts import store
from alerts.model import Outcome
from devices.instant import DAY, HOUR, SECOND, Micros
from devices.reading import Batch
from rules.evaluate import evaluate
from rules.loader import load
from rules.model import Rule
from rules.plan import Plan, make_plan
from rules.state import State, carry_over, fresh
from rules.transition import Cause
from tests.alerts.conftest import Estate
from tests.alerts.estate import INVENTORY, NOW, WANG

RULE = """\
- id: parking.fire_lane
  category: fire
  watch: {metric: occupied}
  when: occupied == 1
  for: %s
  no_data: alert
  severity: yellow
  title: {zh: 消防车位, en: Fire lane bay}
"""
SILENT = NOW + DAY
"""By then the bay's sensor, expected every hour, has long been silent."""


def rules(lasting: str = "5m") -> tuple[Rule, ...]:
    return load({"rules/parking.yaml": RULE % lasting})


class Service:
    """The rules' state and what it writes, as the judge has them."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self.plan: Plan = make_plan(rules(), INVENTORY)
        self.state: State = fresh(self.plan, NOW)

    async def tick(self, now: Micros) -> list[int]:
        told = evaluate(self.plan, Batch.empty(), self.state, now)
        self.state = told.state
        return await self.estate.apply(*told.transitions, now=now)

    async def adopt(self, new: Sequence[Rule], now: Micros) -> None:
        plan = make_plan(new, INVENTORY)
        self.state, withdrawn = carry_over(self.state, self.plan, plan, now)
        self.plan = plan
        await self.estate.apply(*withdrawn, now=now)


@pytest.fixture
async def service(estate: Estate) -> Service:
    return Service(estate)


@pytest.mark.parametrize("between", [[rules("6m")], [(), rules()]], ids=["changed", "put-back"])
async def test_the_same_span_is_a_new_alert(
    service: Service, between: list[tuple[Rule, ...]]
) -> None:
    [first] = await service.tick(SILENT)
    for new in between:
        await service.adopt(new, SILENT + SECOND)
    before = service.state
    [second] = await service.tick(SILENT + 2 * SECOND)
    alerts = await service.estate.rows("SELECT id, state, since FROM alerts ORDER BY id")
    assert [(a["id"], a["state"]) for a in alerts] == [(first, "closed"), (second, "open")]
    assert alerts[0]["since"] == alerts[1]["since"]
    told = await service.estate.column("SELECT alert_id FROM notifications WHERE channel = 'web'")
    assert sorted(told) == [first, second]
    service.state = before
    assert await service.tick(SILENT + HOUR) == [], "told again after a crash"


async def test_what_a_person_closed_is_not_told_again_by_a_changed_rule(service: Service) -> None:
    [first] = await service.tick(SILENT)
    await service.estate.conn.execute("UPDATE duties SET area_id = 2 WHERE member_id = %s", [WANG])
    await store.close(service.estate.conn, first, WANG, Outcome.HANDLED, None, SILENT)
    await service.adopt(rules("6m"), SILENT + SECOND)
    assert await service.tick(SILENT + 2 * SECOND) == []


def test_the_withdrawals_are_what_this_is_about() -> None:
    plan = make_plan(rules(), INVENTORY)
    state = evaluate(plan, Batch.empty(), fresh(plan, NOW), SILENT).state
    _, withdrawn = carry_over(state, plan, make_plan(rules("6m"), INVENTORY), SILENT)
    assert [t.cause for t in withdrawn] == [Cause.RULE_CHANGED]
