"""Does the firm itself write into the log what it thinks of a customer?

A mail that wins back those judged lost comes, in the data, practically only when the silence has already lasted as
long as the horizon, though customers are mostly seen in shorter silences. What goes to everybody comes in short
silences too, and so does what follows a purchase, because customers come back in between.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from features.arrays import Floats, Ints
from features.init.vocabulary import CONTACT, REFUND, speaks_of
from features.journeys import Journeys
from features.timeline import DAY_US
from training.audit import recompute
from training.audit.case import AuditInput, Finding
from training.audit.sample import LogSample, last_before
from training.audit.statistics import own_stream, percent

WINBACK = frozenset(("win", "back", "winback", "reactivation", "reactivate", "comeback", "miss", "lapsed", "churned"))
FEWEST_CUSTOMERS = 20
LOW = 0.05  # share of the events that may come earlier than the silence they wait for
SHORTER_SHARE = 0.2  # at least this share of customers' time is spent in shorter silences
INSTANTS = 24  # at which the silences of everybody are looked at
MOST_LEVELS = 30


@dataclass(frozen=True)
class _Stream:
    """Rows of one event, or of one value in it, by bucket."""

    event: str
    column: str = ""
    level: str = ""

    @property
    def told(self) -> str:
        return f"'{self.event}' with {self.column} '{self.level}'" if self.column else f"'{self.event}'"

    @property
    def is_contact(self) -> bool:
        words = CONTACT | WINBACK
        return speaks_of(self.event, words) or speaks_of(self.column, words) or speaks_of(self.level, WINBACK)


def caused_by_firm(case: AuditInput, seen: LogSample) -> Iterator[Finding]:
    """Events that come only to those whose silence has already lasted the horizon."""
    if case.task.churn_event:
        return
    own = own_stream(case.task).events
    common = _silences_of_all(case, seen, own)
    if not len(common):
        return
    reported: set[str] = set()
    for stream in _streams(case, seen, own):
        silences, customers = _silences(seen, own, stream)
        if customers < FEWEST_CUSTOMERS or stream.event in reported:
            continue
        waits = float(np.quantile(silences, LOW))
        shorter = float((common < waits).mean())
        if waits < case.horizon_days * 0.98 or shorter < SHORTER_SHARE:
            continue
        reported |= set() if stream.column else {stream.event}
        yield _told(case, stream, waits, shorter)


def _told(case: AuditInput, stream: _Stream, waits: float, shorter: float) -> Finding:
    sentence = (
        f"the event {stream.told} comes only when a customer has been silent for {waits:.0f} days and more, as does a "
        f"mail to win back those judged lost, while {percent(shorter)} of customers' time goes by in shorter silences. "
        "It repeats the label and tells nothing of the customer: leave it out of the log, or out of the features"
    )
    refuses = stream.is_contact and case.by_silence
    return Finding("caused_by_firm", sentence, refuses=refuses, figures={"waits_days": waits, "shorter": shorter})


def _streams(case: AuditInput, seen: LogSample, own: tuple[str, ...]) -> list[_Stream]:
    """Every event that is neither the task's own nor a refund, and the values of its columns where these are few."""
    known = {*own, *case.task.active_event, *case.task.event}
    events = sorted(event for event in seen.events - known if not speaks_of(event, REFUND))
    streams = [_Stream(event) for event in events]
    columns = {name for part in seen.many for name in part.categories}
    for column in sorted(columns):
        levels = sorted({str(name) for part in seen.many for name in part.category(column).names})
        if len(levels) <= MOST_LEVELS:
            streams += [_Stream(event, column, level) for event in events for level in levels]
    return streams


def _silences(seen: LogSample, own: tuple[str, ...], stream: _Stream) -> tuple[Floats, int]:
    """Days since the task's own event at every event of the stream, and how many customers had one."""
    by_part, customers = [np.zeros(0)], 0
    where = {stream.column: stream.level} if stream.column else {}
    for part in seen.many:
        rows = np.flatnonzero(recompute.matching(part, (stream.event,), where))
        if len(rows):
            silences, kept = _since(part, own, part.owner[rows], part.time[rows])
            by_part.append(silences)
            customers += len(np.unique(part.owner[rows][kept]))
    return np.concatenate(by_part), customers


def _silences_of_all(case: AuditInput, seen: LogSample, own: tuple[str, ...]) -> Floats:
    """Days since the task's own event for every customer who has had one, at instants spread over the history."""
    instants = np.linspace(case.split.first, case.end, INSTANTS + 1)[1:].astype(np.int64)
    by_part = [np.zeros(0)]
    for few in seen.few:
        owner = np.repeat(np.arange(len(few)), len(instants))
        by_part.append(_since(few, own, owner, np.tile(instants, len(few)))[0])
    return np.concatenate(by_part)


def _since(part: Journeys, own: tuple[str, ...], owner: Ints, instants: Ints) -> tuple[Floats, Ints]:
    """Days since the last own row, for those instants that have one before them, and which these are."""
    rows = np.flatnonzero(recompute.matching(part, own, {}))
    before = last_before(owner, instants, part.owner[rows], part.time[rows])
    kept = np.flatnonzero(before >= 0)
    return np.asarray((instants[kept] - part.time[rows[before[kept]]]) / DAY_US), kept
