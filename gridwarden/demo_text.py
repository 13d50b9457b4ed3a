"""Every word that the demo says, in Chinese and English: one table. Pure."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

Say = Callable[[str], None]
"""Tells one line, given its key in WORDS."""

WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "start.database": ("正在启动 PostgreSQL …", "starting PostgreSQL …"),
        "start.broker": ("正在启动消息代理 …", "starting the broker …"),
        "start.site": ("正在登记社区档案 …", "applying the site …"),
        "start.service": ("正在启动服务 …", "starting the service …"),
        "stop.early": ("尚未开始即已停止", "stopped before it began"),
        "limits.amqtt": (
            (
                "内置的 amqtt 代理：仅支持 MQTT 3.1.1；结束时丢失排队的消息，"
                "连接中断时不重发途中的消息。安装 mosquitto 可获得完整保证。"
            ),
            (
                "embedded amqtt broker: MQTT 3.1.1 only; forgets its queue when it ends, and does "
                "not redeliver what was in flight when a connection broke. Install mosquitto for "
                "the full guarantee."
            ),
        ),
        "inbox": ("收件箱", "inbox"),
        "sign_in": ("登录", "sign in as"),
        "password": ("密码", "password"),
        "time": ("模拟时间", "simulated time"),
        "accepted": ("代理已接收", "accepted by broker"),
        "received": ("已入账", "received"),
        "stored": ("已存储", "stored"),
        "duplicate": ("重复", "duplicate"),
        "rejected": ("拒收", "rejected"),
        "in_flight": ("在途", "in flight"),
        "readings": ("读数 / 事件", "readings / events"),
        "balanced": ("平衡", "balanced"),
        "unbalanced": ("不平衡", "NOT BALANCED"),
        "alerts": ("预警", "alerts"),
        "standing": ("待处理", "standing"),
        "told": ("已送达通知", "notifications delivered"),
        "latency": ("发布到收件箱", "publish to inbox"),
        "incidents": ("预设事件", "planted incidents"),
        "found": ("已发现", "found"),
        "missed": ("漏报", "missed"),
        "running": ("进行中", "running"),
        "already": ("此前已报", "standing already"),
        "nobody": ("无人负责", "nobody"),
        "stop": ("按 Ctrl-C 停止", "Ctrl-C stops"),
        "open": ("待确认", "open"),
        "acknowledged": ("已确认", "acknowledged"),
        "cleared": ("已恢复", "cleared"),
        "closed": ("已关闭", "closed"),
        "sum.messages": ("消息", "messages"),
        "sum.ledger": ("账本", "ledger"),
        "sum.again": (
            "；其中 {n} 条为重新投递，或上次运行遗留",
            "; {n} of them delivered again, or left by an earlier run",
        ),
        "sum.latency": ("时延", "latency"),
        "sum.incidents": ("预设事件", "incidents"),
        "sum.state": ("状态目录", "state"),
        "sum.kept": ("已保留；--fresh 从头开始", "kept; --fresh starts anew"),
        "what.sos_pressed": ("按下紧急按钮", "SOS button pressed"),
        "what.fire_lane_blocked": ("消防通道被占", "fire lane blocked"),
        "what.low_spo2": ("血氧过低", "low blood oxygen"),
        "what.wrong_cards": ("连续刷错卡", "wrong cards in a row"),
        "what.door_forced": ("强行开门", "door forced open"),
        "what.no_movement": ("家中无活动", "no movement at home"),
        "what.fall": ("跌倒", "fall"),
        "what.car_park_full": ("停车场已满", "car park full"),
        "what.smoke": ("冒烟", "smoke"),
        "what.card_shared": ("一卡多用", "one card at two doors"),
        "what.card_replaced": ("旧卡仍在使用", "a replaced card still used"),
        "what.smoke_in_stairwell": ("楼梯间冒烟", "smoke in a stairwell"),
    }
)


def word(key: str, language: str) -> str:
    """The word in this language ('zh' or 'en'); KeyError where the table does not have it."""
    return WORDS[key][0 if language == "zh" else 1]
