"""What the demo says when it ends."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import psycopg
from rich.cells import cell_len

from devices.simulator.incidents import Incident
from gridwarden.demo_books import RuleLine, by_rule_and_member, raised_since
from gridwarden.demo_judge import Verdict, judge
from gridwarden.demo_stage import Stage
from gridwarden.demo_text import word
from gridwarden.latency import Percentiles
from gridwarden.settlement import Settlement, settlement
from gridwarden.terminal import latency

Words = Callable[[str], str]

_VERDICTS = MappingProxyType(
    {
        Verdict.FOUND: "found",
        Verdict.STANDING: "already",
        Verdict.MISSED: "missed",
        Verdict.RUNNING: "running",
    }
)


@dataclass(frozen=True, slots=True)
class Summary:
    """One run: messages, ledger and alerts of this run only."""

    accepted: int
    books: Settlement
    alerts: Sequence[RuleLine]
    latency: Percentiles
    verdicts: Mapping[Verdict, Sequence[Incident]]
    state_dir: Path

    def lines(self, language: str) -> list[str]:
        """The summary as text, in 'zh' or 'en'."""
        say = partial(word, language=language)
        raised = sum(self.books.alerts_by_rule.values())
        reasons = self.books.reject_reasons.items()
        planted = sum(map(len, self.verdicts.values()))
        return [
            _row(say("sum.messages"), f"{say('accepted')} {self.accepted}"),
            _row(say("sum.ledger"), self._ledger(say)),
            *(_row("", f"{n:>5} × {reason}") for reason, n in reasons),
            _row(say("alerts"), str(raised)),
            *(_row("", _told(line, say)) for line in self.alerts),
            _row(say("sum.latency"), f"{say('latency')} {latency(self.latency)}"),
            _row(say("sum.incidents"), f"{planted}: {self._counts(say)}"),
            *(_row("", _missed(one, say)) for one in self.verdicts.get(Verdict.MISSED, ())),
            _row(say("sum.state"), f"{self.state_dir} ({say('sum.kept')})"),
        ]

    def _ledger(self, say: Words) -> str:
        ledger = self.books.ledger
        balances = ledger.balances and ledger.received >= self.accepted
        again = ledger.received - self.accepted
        more = say("sum.again").format(n=again) if again > 0 else ""
        return (
            f"{say('received')} {ledger.received} = {say('stored')} {ledger.stored}"
            f" + {say('duplicate')} {ledger.duplicate} + {say('rejected')} {ledger.rejected}"
            f"  ({say('balanced' if balances else 'unbalanced')}{more})"
        )

    def _counts(self, say: Words) -> str:
        counts = ((name, len(self.verdicts.get(v, ()))) for v, name in _VERDICTS.items())
        return ", ".join(f"{say(name)} {n}" for name, n in counts)


def _row(head: str, text: str) -> str:
    """The head in a column of 11 cells: a Chinese character takes two."""
    return head + " " * (11 - cell_len(head)) + text


def _told(line: RuleLine, say: Words) -> str:
    return f"{line.alerts:>5} × {line.title} ({line.rule}) → {line.member or say('nobody')}"


def _missed(incident: Incident, say: Words) -> str:
    return f"{say('missed')}: {say('what.' + incident.what)} · {incident.device}"


def summarise(
    stage: Stage,
    conn: psycopg.Connection,
    accepted: int,
    measured: Percentiles,
    incidents: Sequence[Incident],
) -> Summary:
    """The books of this run, and its ground truth judged."""
    last = stage.before.last_alert
    verdicts: dict[Verdict, list[Incident]] = {}
    for incident, verdict in judge(incidents, raised_since(conn, last), stage.clock.now()):
        verdicts.setdefault(verdict, []).append(incident)
    return Summary(
        accepted,
        settlement(conn, stage.before),
        by_rule_and_member(conn, last, stage.options.language),
        measured,
        verdicts,
        stage.state_dir,
    )
