"""What `gridwarden rules explain` says, in Chinese and English."""

from collections.abc import Mapping
from types import MappingProxyType

ZH, EN = "zh", "en"

_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "alert": (
            "预警 {id}：{title}（{rule}，{severity}，类别 {category}），地点 {place}，{state}",
            "alert {id}: {title} ({rule}, {severity}, {category}), at {place}, {state}",
        ),
        "times": (
            "自 {since} 起符合，{due} 触发，{opened} 发出",
            "true since {since}, due {due}, opened {opened}",
        ),
        "zone": ("时间按站点时区 {zone}", "times are in the site's time zone, {zone}"),
        "rule": (
            "当时的规则（{source}:{line}，自 {begin}{until} 生效）：",
            "the rule as it was ({source}:{line}, in force from {begin}{until}):",
        ),
        "rule.until": (" 至 {end}", " to {end}"),
        "readings": (
            "读数（从该时段之前的最后一条起）：{n} 条",
            "readings, from the last before the span on: {n}",
        ),
        "readings.left": (
            "，前 {n} 条未显示，可加 --limit",
            ", the first {n} not shown: --limit",
        ),
        "column.time": ("时间", "time"),
        "column.arrival": ("到达", "arrival"),
        "column.device": ("设备", "device"),
        "column.metric": ("指标", "metric"),
        "column.value": ("数值", "value"),
        "column.condition": ("条件", "condition"),
        "holds": ("符合", "holds"),
        "holds.not": ("不符合", "does not hold"),
        "before.not": ("无法还原触发前的状态：{why}", "the state before it cannot be told: {why}"),
        "before": (
            "触发前一刻（用这条规则重放读数得出）：",
            "just before it fired, by replay of the readings through this rule:",
        ),
        "before.with": (
            "触发前一刻（用这条规则和 {others} 重放读数得出）：",
            "just before it fired, by replay of the readings through this rule and {others}:",
        ),
        "others": ("{n} 条相关规则", "{n} that it depends on"),
        "moment.judged": ("最近一次判断", "last judged"),
        "moment.pending": ("持续符合，自", "true without a break since"),
        "moment.pending.not": ("此前不符合条件", "it was not true until then"),
        "moment.last": ("最近一次有效信号", "last heard of what counts"),
        "moment.due": ("因此应触发于", "so it was due at"),
        "moment.spent": ("已计入前一时段，至", "counted in a span that ended, up to"),
        "moment.first": ("连续读数的第一条", "the first in the row"),
        "moment.latest": ("连续读数的最近一条", "the latest in the row"),
        "moment.last_of_row": ("最近一条读数", "the last reading"),
        "moment.unsure": ("最近一次失联结束于", "a silence last ended at"),
        "moment.all_heard_since": ("信号完整，自", "all has been heard since"),
        "moment.window_begin": ("窗口开始", "the window begins"),
        "moment.window_end": ("窗口结束", "the window ends"),
        "number.value": ("最近数值", "last value"),
        "number.index": ("当时指数", "index until then"),
        "number.deviation": ("当时偏离（倍离散度）", "deviation until then, in spreads"),
        "number.total": ("总分", "total"),
        "number.single": ("单项最高分", "largest score of one parameter"),
        "number.count": ("已计", "counted so far"),
        "number.wanted": ("触发所需", "needed"),
        "number.number": ("处于该状态的设备数", "devices in the state"),
        "number.devices": ("状态已知的设备数", "devices whose state is known"),
        "number.share": ("占比", "share"),
        "number.known": ("状态已知的设备至少须占", "at least this share must be known"),
        "number.usual": ("此时段通常为（中位数）", "usual at this hour (median)"),
        "number.least": ("至少需要的历史值个数", "earlier values needed at least"),
        "number.level": ("未结预警加权和", "open alerts, weighed"),
        "fact.counted": ("计入：{device}，{at}", "counted: {device} at {at}"),
        "fact.parameter": (
            "{metric}：{number} {unit}，{at}，有效至 {until}",
            "{metric}: {number} {unit}, heard {at}, counts until {until}",
        ),
        "fact.parameter.not": ("{metric}：无读数", "{metric}: not heard"),
        "fact.so": ("{device}：处于该状态，自 {at}", "{device}: in the state since {at}"),
        "fact.not_so": ("{device}：不在该状态，自 {at}", "{device}: not in it since {at}"),
        "fact.unknown": ("{device}：未知", "{device}: unknown"),
        "fact.first": ("前一事件：{device}，{at}", "the first of the two: {device} at {at}"),
        "fact.then": ("后一事件：{device}，{at}", "the second of the two: {device} at {at}"),
        "fact.first_and_then": ("事件：{device}，{at}", "either of the two: {device} at {at}"),
        "fact.waits": (
            "等待后续事件：{device}，自 {at}，至 {until}",
            "waits for the second: {device} since {at}, until {until}",
        ),
        "fact.excuse": (
            "此前的合理事件：{device}，{at}",
            "what would explain it: {device} at {at}",
        ),
        "fact.asked": ("尚无合理事件：{device}，{at}", "not explained yet: {device} at {at}"),
        "fact.card": (
            "该凭证最新卡序号 {number}，首次使用 {at}，最近使用 {until}",
            "the latest issue of this credential is {number}, first read {at}, last read {until}",
        ),
        "fact.earlier": ("此时段的历史值：{numbers}", "earlier values of this hour: {numbers}"),
        "fact.open": ("未结预警，{colour}：{number}", "open alerts, {colour}: {number}"),
        "fact.more": ("另有 {n} 项未显示，可加 --limit", "{n} more not shown: --limit"),
        "silent": ("{device} 若再无信号，失联于：{at}", "{device} would be silent from: {at}"),
        "silent.then": ("当时失联或无信号：{n} 台（{devices}）", "silent then: {n} ({devices})"),
        "quiet": (
            "被规则 {rules} 抑制，结束后才发出",
            "kept quiet by {rules} until that ended",
        ),
        "quiet.held": ("否则应触发于 {at}", "it would have fired at {at}"),
        "quiet.none": (
            "可抑制它的规则（{rules}）当时均未触发",
            "none of the rules that may keep it quiet had an alert there: {rules}",
        ),
        "fires": (
            "重放触发于 {at}{after}：{cause}{value}",
            "it fires at {at}{after}: {cause}{value}",
        ),
        "fires.after": ("，已持续 {after}", ", after {after}"),
        "fires.value": ("，数值 {value}", ", value {value}"),
        "line": ("{what}：{said}", "{what}: {said}"),
        "fires.not": (
            "重放没有触发：缺少这些读数之前的状态，或站点已变更",
            "the replay does not fire: it lacks what was known before these readings, or the site",
        ),
        "told": ("通知对象（{reason}）：", "who was told ({reason}):"),
        "told.nobody": ("无", "nobody"),
        "column.member": ("人员", "member"),
        "column.role": ("角色", "role"),
        "column.why": ("依据", "why"),
        "column.channel": ("渠道", "channel"),
        "column.occasion": ("场合", "occasion"),
        "column.state": ("状态", "state"),
        "column.written": ("写入", "written"),
        "column.delivered": ("送达", "delivered"),
        "the rule's text of then is not kept": (
            "当时的规则文本已不存在",
            "the rule's text of then is not kept",
        ),
        "the rule's text of then cannot be read by this version": (
            "此版本读不懂当时的规则文本",
            "the rule's text of then cannot be read by this version",
        ),
        "on the applied site the rule does not judge this subject any more": (
            "在当前站点上，该规则已不再判断此对象",
            "on the applied site the rule does not judge this subject any more",
        ),
    }
)
"""By key, Chinese and English."""


def word(key: str, language: str, **parts: object) -> str:
    """The text of this key with its parts filled in; KeyError where there is none."""
    zh, en = _WORDS[key]
    return (zh if language == ZH else en).format(**parts)
