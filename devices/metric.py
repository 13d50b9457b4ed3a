"""The metric dictionary: every quantity Gridwarden knows, with its unit and physical range.

Ids are stored in the database and never change or get reused. `kind` says how a value behaves:
a *gauge* is measured and holds roughly until the next one, a *state* is 0 or 1 (or a small code)
and holds until it changes, a *counter* only grows, an *event* is momentary: it is true at its
instant and says nothing of the next.
"""

import difflib
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from devices.errors import DeviceError


class MetricKind(StrEnum):
    """How a metric's value behaves between readings."""

    GAUGE = "gauge"
    STATE = "state"
    COUNTER = "counter"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class Metric:
    """A quantity: `low` and `high` bound what is physically possible, in `unit` (UCUM)."""

    id: int
    name: str
    unit: str
    kind: MetricKind
    low: float
    high: float
    zh: str
    en: str

    @property
    def momentary(self) -> bool:
        """True where each reading is an occurrence of its own (a button press, a card read)."""
        return self.kind is MetricKind.EVENT

    @property
    def occurs(self) -> bool:
        """True where rules judge each reading by itself, and a person ends its alert.

        Momentary ones do, but for the heartbeat: 1 or 0 says that the device is there or offline
        from then on.
        """
        return self.momentary and self.name != "heartbeat"


G, S, C, E = MetricKind.GAUGE, MetricKind.STATE, MetricKind.COUNTER, MetricKind.EVENT

_ALL = (
    # devices of every kind
    Metric(1, "battery", "%", G, 0, 100, "电量", "battery"),
    Metric(2, "heartbeat", "1", E, 0, 1, "心跳", "heartbeat"),
    Metric(3, "tamper", "1", S, 0, 1, "防拆报警", "tamper"),
    Metric(4, "attributes", "1", E, 0, 1, "附加信息", "attributes"),
    Metric(5, "battery_voltage", "V", G, 0, 60, "电池电压", "battery voltage"),
    Metric(6, "battery_low", "1", S, 0, 1, "电量低", "battery low"),
    Metric(7, "rssi", "dB[mW]", G, -200, 20, "信号强度", "signal strength"),
    Metric(8, "fault", "1", S, 0, 1, "设备故障", "device fault"),
    Metric(9, "test", "1", E, 0, 1, "测试", "device test"),
    # parking
    Metric(10, "occupied", "1", S, 0, 1, "车位占用", "bay occupied"),
    Metric(11, "parking_free", "{space}", G, 0, 100_000, "空余车位", "free spaces"),
    Metric(12, "barrier_open", "1", S, 0, 1, "道闸开启", "barrier open"),
    Metric(13, "vehicle_entry", "1", E, 0, 1, "车辆驶入", "vehicle entry"),
    Metric(14, "vehicle_exit", "1", E, 0, 1, "车辆驶出", "vehicle exit"),
    Metric(15, "parking_occupied", "{space}", G, 0, 100_000, "占用车位", "occupied spaces"),
    Metric(16, "parking_capacity", "{space}", G, 0, 100_000, "车位总数", "parking capacity"),
    Metric(17, "vehicle_count", "{vehicle}", C, 0, 1e12, "车辆计数", "vehicle count"),
    # access control
    Metric(20, "door_open", "1", S, 0, 1, "门开启", "door open"),
    Metric(21, "access_granted", "1", E, 0, 1, "刷卡通过", "access granted"),
    Metric(22, "access_denied", "1", E, 0, 1, "刷卡被拒", "access denied"),
    Metric(23, "door_forced", "1", E, 0, 1, "强行开门", "door forced open"),
    Metric(24, "door_held_open", "1", E, 0, 1, "门未关", "door held open"),
    Metric(25, "door_unlocked", "1", E, 0, 1, "门锁打开", "door unlocked"),
    Metric(26, "doorbell", "1", E, 0, 1, "门铃", "doorbell"),
    Metric(27, "door_open_count", "{opening}", C, 0, 1e12, "开门次数", "door openings"),
    Metric(28, "button", "1", E, 0, 1, "按键", "button pressed"),
    # care at home
    Metric(30, "sos", "1", E, 0, 1, "紧急呼叫", "SOS button"),
    Metric(31, "fall", "1", E, 0, 1, "跌倒", "fall detected"),
    Metric(32, "motion", "1", S, 0, 1, "人体活动", "motion"),
    Metric(33, "water_volume", "m3", C, 0, 1_000_000, "用水量", "water meter"),
    Metric(34, "spo2", "%", G, 50, 100, "血氧饱和度", "blood oxygen (SpO2)"),
    Metric(35, "pulse", "/min", G, 20, 300, "脉搏", "pulse"),
    Metric(36, "body_temperature", "Cel", G, 25, 45, "体温", "body temperature"),
    Metric(37, "breathing_rate", "/min", G, 2, 80, "呼吸频率", "breathing rate"),
    Metric(38, "systolic", "mm[Hg]", G, 40, 300, "收缩压", "systolic blood pressure"),
    Metric(39, "diastolic", "mm[Hg]", G, 20, 200, "舒张压", "diastolic blood pressure"),
    Metric(40, "body_weight", "kg", G, 1, 400, "体重", "body weight"),
    Metric(41, "body_water", "%", G, 10, 90, "体水分率", "body water"),
    Metric(42, "muscle_mass", "kg", G, 1, 200, "肌肉量", "muscle mass"),
    Metric(43, "presence", "1", S, 0, 1, "有人", "presence"),
    Metric(44, "steps", "{step}", G, 0, 200_000, "步数", "steps"),
    Metric(45, "sleep_time", "h", G, 0, 72, "睡眠时间", "time asleep"),
    Metric(46, "blood_glucose", "mmol/L", G, 0.5, 60, "血糖", "blood glucose"),
    Metric(47, "oxygen_flow", "L/min", G, 0, 60, "吸氧流量", "supplemental oxygen"),
    Metric(48, "body_height", "m", G, 0.3, 2.8, "身高", "body height"),
    Metric(49, "motion_count", "{motion}", C, 0, 1e12, "活动次数", "motion count"),
    # safety and surroundings
    Metric(50, "smoke", "1", S, 0, 1, "烟雾报警", "smoke"),
    Metric(51, "gas", "1", S, 0, 1, "燃气报警", "gas"),
    Metric(52, "gas_concentration", "[ppm]", G, 0, 1_000_000, "气体浓度", "gas concentration"),
    Metric(53, "water_leak", "1", S, 0, 1, "漏水", "water on the floor"),
    Metric(54, "temperature", "Cel", G, -60, 100, "温度", "temperature"),
    Metric(55, "skin_temperature", "Cel", G, 10, 45, "皮肤温度", "skin temperature"),
    Metric(56, "humidity", "%", G, 0, 100, "湿度", "humidity"),
    Metric(57, "illuminance", "lx", G, 0, 200_000, "照度", "illuminance"),
    Metric(58, "carbon_monoxide", "1", S, 0, 1, "一氧化碳报警", "carbon monoxide"),
    Metric(59, "co_concentration", "[ppm]", G, 0, 1_000_000, "一氧化碳浓度", "CO concentration"),
    Metric(60, "co2_concentration", "[ppm]", G, 0, 1_000_000, "二氧化碳浓度", "CO2 concentration"),
    Metric(61, "pm2_5", "ug/m3", G, 0, 100_000, "PM2.5", "PM2.5"),
    Metric(62, "pm10", "ug/m3", G, 0, 100_000, "PM10", "PM10"),
    Metric(63, "vibration", "1", S, 0, 1, "震动", "vibration"),
    Metric(64, "air_pressure", "hPa", G, 300, 1_100, "气压", "air pressure"),
    Metric(65, "noise", "dB", G, 0, 200, "噪声", "noise"),
    Metric(66, "gas_volume", "m3", C, 0, 1_000_000, "用气量", "gas meter"),
    # electricity
    Metric(70, "power", "W", G, -1e9, 1e9, "功率", "power"),
    Metric(71, "energy", "kW.h", C, 0, 1e12, "用电量", "electricity meter"),
    Metric(72, "voltage", "V", G, 0, 1_000_000, "电压", "voltage"),
    Metric(73, "current", "A", G, -1e6, 1e6, "电流", "current"),
    Metric(74, "switched_on", "1", S, 0, 1, "已接通", "switched on"),
    # care at home, again: 0 alert, 1 newly confused, 2 responds to voice, 3 to pain, 4 to nothing
    Metric(75, "consciousness", "1", S, 0, 4, "意识状态", "consciousness (ACVPU)"),
)

BY_NAME = MappingProxyType({m.name: m for m in _ALL})
BY_ID = MappingProxyType({m.id: m for m in _ALL})


class UnknownMetricError(DeviceError, KeyError):
    """No such metric in the dictionary."""

    def __str__(self) -> str:
        return str(self.args[0])


def metric(name: str) -> Metric:
    """The metric of this name; UnknownMetricError, with the nearest name, where there is none."""
    try:
        return BY_NAME[name]
    except KeyError:
        near = difflib.get_close_matches(name, BY_NAME, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UnknownMetricError(f"unknown metric {name!r}{hint}") from None
