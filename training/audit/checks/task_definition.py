"""Does the question ask for something? Events looked up in the log, the horizon held against how customers return."""

from collections.abc import Iterator

import numpy as np

from features.arrays import Floats
from features.config.tasks import TaskConfig
from features.errors import did_you_mean
from features.init.vocabulary import CANCEL, CONTRACT, PURCHASE, speaks_of
from features.journeys import Journeys
from features.timeline import DAY_US, days, over
from training.audit import recompute
from training.audit.case import AuditInput, Finding
from training.audit.sample import LogSample, last_before
from training.audit.statistics import named, own_stream, percent

FEWEST_CUSTOMERS, FEWEST_EVENTS = 20, 100  # fewer: nothing may have happened yet
CONSTANT_ROWS, CONSTANT_CUSTOMERS = 500, 100  # from here on "always the same" is no accident
RETURNED = 20  # events from which on something may be said of them
LEAST_RULE_DAYS = 3.0
RULED = 0.9  # of the losses come after one and the same silence


def turned(case: AuditInput, seen: LogSample) -> Iterator[Finding]:
    """A loss that is none: what ends a customer named as what keeps them, or the other way round."""
    task = case.task
    if not task.definition.about_loss:
        return
    if task.event and all(speaks_of(event, CANCEL) and not speaks_of(event, PURCHASE) for event in task.event):
        sentence = f"the task calls lost who does no '{named(task.event)}' within {case.horizon_days} days, so those "
        yield Finding(
            "inverted_label", f"{sentence}who stay are the lost ones; name it as `churn_event`, not as `event`"
        )
    both = set(task.churn_event) & set(task.active_event)
    if both:
        sentence = (
            f"'{named(sorted(both))}' is what makes a customer live and what ends them at once, so that everyone "
        )
        yield Finding("inverted_label", f"{sentence}who stays counts as lost; take it out of one of the two")
    elif task.churn_event and all(_keeps(event) for event in task.churn_event):
        yield from _lively(case, seen)


def _keeps(event: str) -> bool:
    return speaks_of(event, CONTRACT | PURCHASE) and not speaks_of(event, CANCEL)


def _lively(case: AuditInput, seen: LogSample) -> Iterator[Finding]:
    """After an event that ends customers they do no more; here they do."""
    after = total = 0
    for part in seen.many:
        ends = recompute.matching(part, case.task.churn_event, {})
        acts = recompute.matching(part, case.task.active_event, {}) | ends
        owner, end = part.owner, case.end - days(case.horizon_days)
        newest = np.full(len(part), -1, np.int64)
        np.maximum.at(newest, owner[acts], part.time[acts])
        ended = np.flatnonzero(ends & over(part.time, end))
        total += len(ended)
        after += int((~over(newest[owner[ended]], part.time[ended] + DAY_US)).sum())
    if total >= RETURNED and after >= total / 2:
        event = named(case.task.churn_event)
        sentence = f"the task calls '{event}' a loss, yet after {percent(after / total)} of them the customer goes on; "
        yield Finding(
            "inverted_label", f"{sentence}name the event that ends a customer", figures={"share": after / total}
        )


def absent(case: AuditInput, seen: LogSample) -> Iterator[Finding]:
    """Events and values that the question names and the log does not hold: a label that is the same for everybody."""
    customers, rows = sum(map(len, seen.parts)), sum(part.rows for part in seen.parts)
    if customers < FEWEST_CUSTOMERS or rows < FEWEST_EVENTS:
        return
    for event in dict.fromkeys((*case.task.event, *case.task.churn_event)):
        if event not in seen.events and not _anywhere(case, seen, event):
            sentence = f"the log holds no event '{event}', so the label says the same of everybody; "
            others = case.task.churn_event or case.task.event
            yield Finding(
                "constant_label", sentence + did_you_mean(event, seen.events), refuses=not set(others) & seen.events
            )
    for column, level in case.task.where.items():
        levels = {str(name) for part in seen.parts for name in part.category(column).names}
        if level not in levels and (seen.complete or not _levelled(case, column, level)):
            sentence = f"no row of the log has {column} '{level}', so the label says the same of everybody; "
            yield Finding("constant_label", sentence + did_you_mean(level, levels))


def _anywhere(case: AuditInput, seen: LogSample, event: str) -> bool:
    return not seen.complete and any(
        (part.event.codes == part.event.code(event)).any() for part in case.parts() if part.event.code(event) >= 0
    )


def _levelled(case: AuditInput, column: str, level: str) -> bool:
    return any(part.category(column).code(level) >= 0 for part in case.parts())


def constant(case: AuditInput, seen: LogSample) -> Iterator[Finding]:
    """Always the same label over many rows, though customers do come back, only later than the horizon asks."""
    label = case.happened
    customers = len(set(case.rows.customer.tolist()))
    if len(label) < CONSTANT_ROWS or customers < CONSTANT_CUSTOMERS or 0 < label.sum() < len(label):
        return
    nobody_came = bool(label[0]) == case.by_silence and not case.task.churn_event
    if not nobody_came:
        sentence = f"in {len(label):,} rows the label never changes: there is nothing to learn yet"
        yield Finding("constant_label", sentence, refuses=False)
        return
    gaps = np.concatenate([np.zeros(0), *(_gaps(part, own_stream(case.task).events) for part in seen.many)])
    if len(gaps) >= RETURNED:
        usual = max(round(float(np.median(gaps))), 1)
        sentence = (
            f"nobody in {len(label):,} rows came within {case.horizon_days} days, though customers do come back, "
            f"usually after {usual:,}: choose `horizon_days` near that"
        )
        yield Finding("constant_label", sentence, figures={"usual_days": float(usual)})


def _gaps(part: Journeys, events: tuple[str, ...]) -> Floats:
    """Days between rows of these events that follow each other, those of one day left out."""
    rows = np.flatnonzero(recompute.matching(part, events, {}) & ~(part.value < 0))
    owner, time = part.owner[rows], part.time[rows]
    gaps = np.diff(time)[owner[1:] == owner[:-1]] / DAY_US
    return np.asarray(gaps[gaps >= 1.0])


def ruled(case: AuditInput, seen: LogSample) -> Iterator[Finding]:
    """A loss that is booked after one and the same silence is the firm's rule, read from the past.

    A contract that runs out after a month does so too; there the renewals come in that same rhythm.
    """
    if not case.task.churn_event:
        return
    lost, between = [np.zeros(0)], [np.zeros(0)]
    for part in seen.many:
        lost.append(_silences(part, case.task))
        between.append(_gaps(part, case.task.active_event))
    silences, gaps = np.concatenate(lost), np.concatenate(between)
    if len(silences) < RETURNED or len(gaps) < RETURNED:
        return
    usual = float(np.median(silences))
    ruled_share = float((np.abs(silences - usual) <= 1).mean())
    in_rhythm = float((np.abs(gaps - usual) <= 1).mean())
    if usual >= LEAST_RULE_DAYS and ruled_share >= RULED and in_rhythm < 0.5:
        event = named(case.task.churn_event)
        sentence = (
            f"{percent(ruled_share)} of the events {event} come {usual:.0f} days after the customer's last "
            f"{named(case.task.active_event)}: they book a silence that was over already, and no decision. Ask for the "
            "silence itself, with `event` in the place of `churn_event`"
        )
        yield Finding("label_reads_past", sentence, figures={"days": usual, "share": ruled_share})


def _silences(part: Journeys, task: TaskConfig) -> Floats:
    """Days from the last active event to each loss."""
    acts = np.flatnonzero(recompute.matching(part, task.active_event, {}))
    ends = np.flatnonzero(recompute.matching(part, task.churn_event, {}))
    owner = part.owner
    before = last_before(owner[ends], part.time[ends], owner[acts], part.time[acts])
    kept = before >= 0
    return np.asarray((part.time[ends][kept] - part.time[acts][before[kept]]) / DAY_US)
