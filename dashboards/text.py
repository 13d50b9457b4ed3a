"""Every word on the pages, in Chinese and English: one table."""

from enum import StrEnum
from types import MappingProxyType

from devices.kind import BY_NAME as KINDS


class Language(StrEnum):
    """The languages in which every page exists."""

    ZH = "zh"
    EN = "en"


_PAGE = {
    "page.community.title": ("社区总览", "Community overview"),
    "page.community.about": (
        "现在是否需要有人处置、由谁处置。传感器失联表示“未知”，不表示“平安”。",
        "Does anything need a person now, and who has it. A silent sensor means unknown, not calm.",
    ),
    "page.other_language": ("English", "中文"),
    "variable.community": ("社区", "Community"),
    "variable.grid": ("网格", "Grid"),
}

_PANELS = {
    "panel.verdict.title": ("现在需要有人处置吗？", "Does anything need a person now?"),
    "panel.verdict.about": (
        "按所选社区和网格判断。有设备失联或规则未跟上时为“未知”。",
        "For the chosen communities and grids. Unknown when a device is silent or the rules lag.",
    ),
    "panel.open.title": ("待确认", "Not yet acknowledged"),
    "panel.open.about": ("尚无人确认的预警数。", "Standing alerts that nobody has acknowledged."),
    "panel.acknowledged.title": ("处置中", "Somebody has it"),
    "panel.acknowledged.about": (
        "已有人确认的预警数。",
        "Standing alerts that a person acknowledged.",
    ),
    "panel.unowned.title": ("无人负责", "Nobody responsible"),
    "panel.unowned.about": (
        "没有找到在岗负责人的待确认预警数。",
        "Unacknowledged alerts for which no duty was found.",
    ),
    "panel.silence.title": ("失联设备（未知）", "Silent devices (unknown)"),
    "panel.silence.about": (
        "超过三个上报周期未收到任何消息的设备数，以及在用设备总数。",
        "Devices not heard for three of their reporting intervals, and all devices in service.",
    ),
    "panel.heard.title": ("距上次入库", "Since the last stored batch"),
    "panel.heard.about": (
        "所有社区。时间变长说明没有收到数据，或数据未能入库。",
        "All communities. Growing means that nothing arrives, or that nothing can be stored.",
    ),
    "panel.severity.title": ("按等级：未解除的预警", "Standing alerts by severity"),
    "panel.severity.about": ("含待确认和处置中。", "Unacknowledged and acknowledged ones."),
    "panel.standing.title": ("未解除的预警和负责人", "Standing alerts and who has them"),
    "panel.standing.about": (
        "入户类预警只显示网格，详情仅负责人可见。",
        "Of an alert in a home only the grid is shown; its responsible members see the rest.",
    ),
    "panel.nobody.title": ("无人负责的预警", "Alerts nobody is responsible for"),
    "panel.nobody.about": (
        "请立即指定负责人，并在社区档案中补上职责。",
        "Find somebody now, and add the missing duty to the site.",
    ),
    "panel.silent_kinds.title": ("失联设备：类型和网格", "Silent devices by kind and grid"),
    "panel.silent_kinds.about": (
        "这些位置的情况未知。",
        "What happens at these places is unknown.",
    ),
    "panel.rate.title": ("每分钟读数", "Readings per minute"),
    "panel.rate.about": (
        "所有社区，按入库时间。",
        "All communities, by the time they were stored.",
    ),
    "panel.lag.title": ("延迟", "Lag"),
    "panel.lag.about": (
        "接收：入库时刻距“已全部听到”的时刻。判断：规则尚未处理的批次已等待的时间。",
        "Hearing: how far a batch was behind the broker. Judging: its wait for the rules.",
    ),
    "panel.rejected.title": ("被拒消息：原因", "Rejected messages by reason"),
    "panel.rejected.about": (
        "所有社区。原文已保留，修正后可重放。",
        "All communities. Their bytes are kept.",
    ),
    "panel.occupancy.title": ("车位占用率", "Parking occupancy"),
    "panel.occupancy.about": (
        "占用率只按状态已知的车位计算；失联车位单列为未知。",
        "Share of the spaces whose state is known; spaces of silent sensors are counted apart.",
    ),
    "panel.ledger.title": ("收支平衡", "Ledger"),
    "panel.ledger.about": (
        "收到 = 入库 + 重复 + 拒收。差额是按设备和按批次两种独立计数之差，应为 0。",
        "Received = stored + duplicate + rejected. Difference: count by device less by batch; 0.",
    ),
}

_COLUMNS = {
    "column.severity": ("等级", "Severity"),
    "column.title": ("事项", "What"),
    "column.place": ("地点", "Where"),
    "column.state": ("状态", "State"),
    "column.responsible": ("通知对象", "Told to"),
    "column.acknowledged_by": ("处置人", "Taken by"),
    "column.waiting": ("已持续", "For"),
    "column.sensor": ("传感器", "Sensor"),
    "column.category": ("类别", "Category"),
    "column.route_reason": ("原因", "Why"),
    "column.kind": ("设备类型", "Kind of device"),
    "column.grid": ("网格", "Grid"),
    "column.silent": ("失联", "Silent"),
    "column.never_heard": ("从未上线", "Never heard"),
    "column.total": ("总数", "All"),
    "column.longest": ("最长失联", "Longest"),
    "column.open": ("待确认", "Not yet acknowledged"),
    "column.acknowledged": ("处置中", "Somebody has it"),
    "column.nobody": ("无人负责", "Nobody responsible"),
    "column.seconds": ("时间", "Time"),
    "column.per_minute": ("读数/分钟", "readings/min"),
    "column.heard": ("接收延迟", "hearing"),
    "column.judged": ("判断延迟", "judging"),
    "column.occupied": ("占用率", "Occupied"),
    "column.known": ("已知车位", "Known spaces"),
    "column.unknown": ("未知车位", "Unknown spaces"),
    "column.received": ("收到", "Received"),
    "column.stored": ("入库", "Stored"),
    "column.duplicate": ("重复", "Duplicate"),
    "column.rejected": ("拒收", "Rejected"),
    "column.missing": ("差额", "Difference"),
}

_VALUES = {
    "verdict.nobody": ("需要，且无人负责", "Yes, and nobody is responsible"),
    "verdict.needed": ("需要处置", "Yes"),
    "verdict.handled": ("已有人处置", "Somebody has it"),
    "verdict.unknown": ("未知", "Unknown"),
    "verdict.calm": ("不需要", "No"),
    "severity.red": ("Ⅰ 红色", "I red"),
    "severity.orange": ("Ⅱ 橙色", "II orange"),
    "severity.yellow": ("Ⅲ 黄色", "III yellow"),
    "severity.blue": ("Ⅳ 蓝色", "IV blue"),
    "state.open": ("待确认", "not acknowledged"),
    "state.acknowledged": ("处置中", "acknowledged"),
    "sensor.heard": ("在线", "heard"),
    "sensor.unknown": ("失联（未知）", "silent (unknown)"),
    "route.duty_at_place": ("本区域有职责", "a duty here"),
    "route.duty_above": ("上级区域有职责", "a duty above"),
    "route.nobody": ("本区域及上级均无在岗职责", "no duty here or above"),
    "category.parking": ("停车", "parking"),
    "category.access": ("门禁", "access"),
    "category.care": ("照护", "care"),
    "category.safety": ("消防安全", "safety"),
    "empty.title": ("入户预警，详情见负责人", "in a home; its members see what"),
    "empty.person": ("无", "nobody"),
    "empty.table": ("无", "none"),
    "empty.time": ("从未", "never"),
    "reason.bad_topic": ("主题不合规", "bad topic"),
    "reason.unknown_format": ("未知格式", "unknown format"),
    "reason.bad_payload": ("内容无法解析", "bad payload"),
    "reason.no_reading": ("无读数", "no reading"),
    "reason.unknown_device": ("未登记设备", "unknown device"),
    "reason.topic_mismatch": ("主题与登记不符", "topic mismatch"),
    "reason.unknown_metric": ("未知指标", "unknown metric"),
    "reason.out_of_range": ("数值超出物理范围", "out of range"),
    "reason.impossible_time": ("时间不可能", "impossible time"),
    "reason.too_many": ("发送过多", "too many"),
    "reason.unstorable": ("无法入库", "unstorable"),
}

_KINDS = {f"kind.{kind.name}": (kind.zh, kind.en) for kind in KINDS.values()}

MESSAGES = MappingProxyType(_PAGE | _PANELS | _COLUMNS | _VALUES | _KINDS)
"""Key → (Chinese, English)."""


def text(key: str, language: Language) -> str:
    """The words under this key; KeyError where the table lacks it."""
    zh, en = MESSAGES[key]
    return zh if language is Language.ZH else en


def words(prefix: str, language: Language) -> dict[str, str]:
    """Value → words, of all keys `prefix.VALUE`."""
    start = f"{prefix}."
    keys = (key for key in MESSAGES if key.startswith(start))
    return {key.removeprefix(start): text(key, language) for key in keys}
