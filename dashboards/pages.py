"""The pages that duty staff see, as pure functions of a language and the SQL texts."""

from collections.abc import Callable, Mapping

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Dashboard as Model
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    GridPos,
    Panel,
    VariableModel,
    VariableOption,
    VariableRefresh,
)

from dashboards.panels import (
    BLUE,
    COLOURS,
    GREY,
    ORANGE,
    PURPLE,
    SOURCE,
    VERMILION,
    YELLOW,
    Draft,
    bars,
    big_number,
    big_word,
    column,
    curves,
    fixed,
    frame,
    listing,
    null_as,
    painted,
    percent_bar,
    stacked,
    steps,
    unit,
    width,
    worded,
)
from dashboards.text import Language, words

TIME_ZONE = "Asia/Shanghai"
Maker = Callable[[Draft], Builder[Panel]]


def uid(language: Language) -> str:
    """The page's stable name in Grafana and on disk."""
    return f"gridwarden-community-{language.value}"


def community(language: Language, queries: Mapping[str, str], time_zone: str = TIME_ZONE) -> Model:
    """The community overview. queries: the texts of dashboards/sql by file stem."""
    draft = Draft(language, queries)
    page = (
        dashboard.Dashboard(draft.text("page.community.title"))
        .uid(uid(language))
        .description(draft.text("page.community.about"))
        .tags(["gridwarden", language.value])
        .timezone(time_zone)
        .time("now-6h", "now")
        .refresh("10s")
        .readonly()
        .link(_other_language(draft))
        .variables(_variables(draft))
    )
    for number, make in enumerate(PANELS, start=1):
        page.with_panel(_Numbered(make(draft), number))
    return page.build()


class _Numbered(Builder[Panel]):
    """A panel with the id of its place in PANELS."""

    def __init__(self, panel: Builder[Panel], number: int) -> None:
        self._panel = panel
        self._number = number

    def build(self) -> Panel:
        panel = self._panel.build()
        panel.id_val = self._number
        return panel


def _other_language(draft: Draft) -> dashboard.DashboardLink:
    other = Language.EN if draft.language is Language.ZH else Language.ZH
    link = dashboard.DashboardLink(draft.text("page.other_language"))
    link.type(DashboardLinkType.LINK).url(f"/d/{uid(other)}").icon("external link")
    return link.keep_time(True).include_vars(False)


def _variables(draft: Draft) -> list[Builder[VariableModel]]:
    lang = dashboard.ConstantVariable("lang").value(draft.language.value)
    return [lang, _choice(draft, "community"), _choice(draft, "grid")]


def _choice(draft: Draft, name: str) -> dashboard.QueryVariable:
    everything = VariableOption(selected=True, text=["All"], value=["$__all"])
    return (
        dashboard.QueryVariable(name)
        .label(draft.text(f"variable.{name}"))
        .datasource(SOURCE)
        .query(draft.queries[f"variable_{name}"])
        .refresh(VariableRefresh.ON_DASHBOARD_LOAD)
        .multi(True)
        .include_all(True)
        .current(everything)
    )


def _verdict(draft: Draft) -> Builder[Panel]:
    return frame(
        big_word(draft, "verdict", "verdict"), draft, "verdict", GridPos(x=0, y=0, w=8, h=5)
    )


def _count(draft: Draft, name: str, field: str, colour: str, x: int) -> Builder[Panel]:
    panel = frame(big_number(draft, name), draft, name, GridPos(x=x, y=0, w=3, h=5))
    return column(steps(panel, (None, GREY), (1, colour)), draft, field)


def _open(draft: Draft) -> Builder[Panel]:
    return _count(draft, "open", "open", ORANGE, 8)


def _acknowledged(draft: Draft) -> Builder[Panel]:
    return _count(draft, "acknowledged", "acknowledged", BLUE, 11)


def _unowned(draft: Draft) -> Builder[Panel]:
    return _count(draft, "unowned", "nobody", VERMILION, 14)


def _silence(draft: Draft) -> Builder[Panel]:
    panel = frame(big_number(draft, "silence"), draft, "silence", GridPos(x=17, y=0, w=4, h=5))
    column(steps(panel, (None, GREY), (1, PURPLE)), draft, "silent")
    return column(panel, draft, "total", fixed(GREY))


def _heard(draft: Draft) -> Builder[Panel]:
    panel = frame(big_number(draft, "heard"), draft, "heard", GridPos(x=21, y=0, w=3, h=5))
    steps(panel, (None, GREY), (60, ORANGE), (300, VERMILION))
    panel.no_value(draft.text("empty.time"))
    return column(panel, draft, "seconds", unit("dthms"))


def _severity(draft: Draft) -> Builder[Panel]:
    place = GridPos(x=0, y=5, w=6, h=9)
    panel = frame(bars(draft, "severity", each_row=False), draft, "severity", place)
    for severity in words("severity", draft.language):
        column(panel, draft, severity, fixed(COLOURS[severity]), key=f"severity.{severity}")
    return panel


def _standing(draft: Draft) -> Builder[Panel]:
    place = GridPos(x=6, y=5, w=18, h=9)
    panel = frame(listing(draft, "standing"), draft, "standing", place)
    column(panel, draft, "severity", worded(draft, "severity"), painted(), width(100))
    column(panel, draft, "title", null_as(draft, "empty.title"))
    column(panel, draft, "place")
    column(panel, draft, "state", worded(draft, "state"), painted(), width(140))
    column(panel, draft, "responsible", null_as(draft, "empty.person"))
    column(panel, draft, "acknowledged_by", null_as(draft, "empty.person"))
    column(panel, draft, "waiting", unit("dthms"), width(110))
    return column(panel, draft, "sensor", worded(draft, "sensor"), width(150))


def _nobody(draft: Draft) -> Builder[Panel]:
    place = GridPos(x=0, y=14, w=12, h=7)
    panel = frame(listing(draft, "nobody"), draft, "nobody", place)
    column(panel, draft, "severity", worded(draft, "severity"), painted(), width(100))
    column(panel, draft, "category", worded(draft, "category"))
    column(panel, draft, "place")
    column(panel, draft, "route_reason", worded(draft, "route"))
    return column(panel, draft, "waiting", unit("dthms"), width(110))


def _silent_kinds(draft: Draft) -> Builder[Panel]:
    place = GridPos(x=12, y=14, w=12, h=7)
    panel = frame(listing(draft, "silent_kinds"), draft, "silent_kinds", place)
    column(panel, draft, "kind", worded(draft, "kind"))
    for name in ("grid", "silent", "never_heard", "total"):
        column(panel, draft, name)
    return column(panel, draft, "longest", unit("dthms"), null_as(draft, "empty.time"))


def _rate(draft: Draft) -> Builder[Panel]:
    panel = curves(draft, "rate", [("per_minute", BLUE)])
    return frame(panel, draft, "rate", GridPos(x=0, y=21, w=8, h=8))


def _lag(draft: Draft) -> Builder[Panel]:
    panel = curves(draft, "lag", [("heard", BLUE), ("judged", ORANGE)]).unit("s")
    return frame(panel, draft, "lag", GridPos(x=8, y=21, w=8, h=8))


def _rejected(draft: Draft) -> Builder[Panel]:
    panel = stacked(curves(draft, "rejected", []))
    plain = (VERMILION, ORANGE, YELLOW, BLUE, PURPLE)
    palette = (*plain, "#009E73", "#0072B2", "#999933", "#882255", "#44AA99", GREY)
    reasons = words("reason", draft.language)
    for reason, colour in zip(reasons, palette, strict=True):
        column(panel, draft, reason, fixed(colour), key=f"reason.{reason}")
    return frame(panel, draft, "rejected", GridPos(x=16, y=21, w=8, h=8))


def _occupancy(draft: Draft) -> Builder[Panel]:
    place = GridPos(x=0, y=29, w=12, h=8)
    panel = frame(listing(draft, "occupancy"), draft, "occupancy", place)
    steps(panel, (None, BLUE), (85, YELLOW), (95, VERMILION))
    column(panel, draft, "grid")
    column(panel, draft, "occupied", *percent_bar(), null_as(draft, "verdict.unknown"))
    column(panel, draft, "known", width(130))
    return column(panel, draft, "unknown", width(130))


def _ledger(draft: Draft) -> Builder[Panel]:
    panel = frame(big_number(draft, "ledger"), draft, "ledger", GridPos(x=12, y=29, w=12, h=8))
    for name in ("received", "stored", "duplicate", "rejected"):
        column(panel, draft, name, fixed(GREY))
    steps(panel, (None, VERMILION), (0, GREY), (1, VERMILION))
    return column(panel, draft, "missing")


PANELS: tuple[Maker, ...] = (
    _verdict,
    _open,
    _acknowledged,
    _unowned,
    _silence,
    _heard,
    _severity,
    _standing,
    _nobody,
    _silent_kinds,
    _rate,
    _lag,
    _rejected,
    _occupancy,
    _ledger,
)
"""Every panel, in the order of their ids."""
