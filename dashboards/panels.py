"""The parts panels are made of: SQL targets, words, colours. Pure; pages put them together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from grafana_foundation_sdk.builders import bargauge, common, dashboard, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    StackingMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardSpecialValueMapOptions,
    DataSourceRef,
    DynamicConfigValue,
    FieldColorModeId,
    GridPos,
    SpecialValueMap,
    SpecialValueMatch,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

from dashboards.text import Language, text, words

SOURCE = DataSourceRef("grafana-postgresql-datasource", "gridwarden")
"""The provisioned data source that every query goes to."""

VERMILION, ORANGE, YELLOW, BLUE = "#D55E00", "#E69F00", "#F0E442", "#56B4E9"
PURPLE, GREY = "#CC79A7", "#8E8E8E"

COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "red": VERMILION,
        "orange": ORANGE,
        "yellow": YELLOW,
        "blue": BLUE,
        "nobody": VERMILION,
        "needed": ORANGE,
        "handled": BLUE,
        "unknown": PURPLE,
        "calm": GREY,
        "open": ORANGE,
        "acknowledged": BLUE,
        "heard": GREY,
    }
)
"""Value → colour that the colour-blind can tell apart on a dark wall; a word always stands by."""

Panel = TypeVar("Panel", bargauge.Panel, stat.Panel, table.Panel, timeseries.Panel)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a page is drawn with: its language and the SQL texts by name."""

    language: Language
    queries: Mapping[str, str]

    def text(self, key: str) -> str:
        """These words in the page's language."""
        return text(key, self.language)


class SqlQuery(Dataquery, Builder[Dataquery]):
    """A raw PostgreSQL query of a panel. format: 'table' or 'time_series'."""

    def __init__(self, sql: str, result_format: str) -> None:
        self._sql = sql
        self._format = result_format

    def build(self) -> Dataquery:
        """The query is its own model."""
        return self

    def to_json(self) -> dict[str, object]:
        """As Grafana's PostgreSQL data source writes it."""
        return {
            "refId": "A",
            "datasource": SOURCE,
            "editorMode": "code",
            "format": self._format,
            "rawQuery": True,
            "rawSql": self._sql,
        }


def frame(panel: Panel, draft: Draft, name: str, place: GridPos) -> Panel:
    """Gives a panel its title, explanation, place and data source."""
    panel.title(draft.text(f"panel.{name}.title"))
    panel.description(draft.text(f"panel.{name}.about"))
    panel.grid_pos(place).datasource(SOURCE)
    panel.no_value(draft.text("empty.table"))
    return panel


def column(
    panel: Panel, draft: Draft, name: str, *properties: DynamicConfigValue, key: str = ""
) -> Panel:
    """Shows column `name` under its words (of `key`, else `column.NAME`), with these properties."""
    label = DynamicConfigValue("displayName", draft.text(key or f"column.{name}"))
    panel.override_by_name(name, [label, *properties])
    return panel


def worded(draft: Draft, prefix: str) -> DynamicConfigValue:
    """Shows values as the words under `prefix`, in their colours."""
    return DynamicConfigValue("mappings", [_value_map(draft, prefix)])


def null_as(draft: Draft, key: str) -> DynamicConfigValue:
    """Shows an absent value as these words."""
    result = ValueMappingResult(text=draft.text(key), color=PURPLE, index=0)
    options = DashboardSpecialValueMapOptions(SpecialValueMatch.NULL, result)
    return DynamicConfigValue("mappings", [SpecialValueMap(options)])


def unit(name: str) -> DynamicConfigValue:
    """Shows numbers in this unit of Grafana's."""
    return DynamicConfigValue("unit", name)


def width(pixels: int) -> DynamicConfigValue:
    """Fixes a table column's width."""
    return DynamicConfigValue("custom.width", pixels)


def painted() -> DynamicConfigValue:
    """Fills a table cell with the colour of its value."""
    return DynamicConfigValue("custom.cellOptions", {"type": "color-background", "mode": "basic"})


def percent_bar() -> list[DynamicConfigValue]:
    """Shows 0 to 100 as a bar within a table cell."""
    gauge = DynamicConfigValue("custom.cellOptions", {"type": "gauge", "mode": "basic"})
    return [gauge, unit("percent"), DynamicConfigValue("min", 0), DynamicConfigValue("max", 100)]


def fixed(colour: str) -> DynamicConfigValue:
    """Draws a field in this colour."""
    return DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})


def steps(panel: Panel, *limits: tuple[float | None, str]) -> Panel:
    """Colours numbers from each limit upwards; the first limit is None."""
    levels = [Threshold(value, colour) for value, colour in limits]
    mode = dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(levels)
    panel.thresholds(mode)
    panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    return panel


def big_number(draft: Draft, query: str) -> stat.Panel:
    """One or more numbers, large, their last values."""
    return (
        stat.Panel()
        .with_target(SqlQuery(draft.queries[query], "table"))
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.VALUE)
        .reduce_options(common.ReduceDataOptions().values(False).calcs(["lastNotNull"]))
    )


def big_word(draft: Draft, query: str, prefix: str) -> stat.Panel:
    """One word, large, on its colour."""
    last = common.ReduceDataOptions().values(False).calcs(["lastNotNull"]).fields("/.*/")
    return (
        big_number(draft, query)
        .reduce_options(last)
        .color_mode(BigValueColorMode.BACKGROUND_SOLID)
        .text_mode(BigValueTextMode.VALUE)
        .mappings([_value_map(draft, prefix)])
    )


def listing(draft: Draft, query: str) -> table.Panel:
    """Rows as they come."""
    return table.Panel().with_target(SqlQuery(draft.queries[query], "table")).show_header(True)


def bars(draft: Draft, query: str, *, each_row: bool) -> bargauge.Panel:
    """Horizontal bars: one for each row, or one for each column of the only row."""
    reduce = common.ReduceDataOptions().values(each_row)
    return (
        bargauge.Panel()
        .with_target(SqlQuery(draft.queries[query], "table"))
        .display_mode(BarGaugeDisplayMode.BASIC)
        .orientation(VizOrientation.HORIZONTAL)
        .reduce_options(reduce.calcs([] if each_row else ["lastNotNull"]))
        .min(0)
    )


def curves(draft: Draft, query: str, columns: Sequence[tuple[str, str]]) -> timeseries.Panel:
    """Lines over time; each column with its colour."""
    panel = timeseries.Panel().with_target(SqlQuery(draft.queries[query], "time_series"))
    panel.min(0).interval("1m").line_width(2).fill_opacity(10)
    for name, colour in columns:
        column(panel, draft, name, fixed(colour))
    return panel


def stacked(panel: timeseries.Panel) -> timeseries.Panel:
    """Bars on top of each other in place of lines."""
    panel.draw_style(GraphDrawStyle.BARS).fill_opacity(80)
    return panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))


def _value_map(draft: Draft, prefix: str) -> ValueMapping:
    options = {
        value: ValueMappingResult(text=words_, color=COLOURS.get(value), index=index)
        for index, (value, words_) in enumerate(words(prefix, draft.language).items())
    }
    return ValueMap(options)
