"""The audit: every check in turn, before anything is fitted. It refuses by name what does not show."""

from collections.abc import Iterable, Iterator, Sequence

from features.errors import AuditError
from training.audit.case import AuditInput, Finding
from training.audit.checks import (
    drift,
    future,
    labels,
    leaky_columns,
    log_gaps,
    marketer_events,
    population,
    split,
    task_definition,
)
from training.audit.sample import sample_log


def audit(case: AuditInput) -> tuple[Finding, ...]:
    """What is wrong or odd, the first of each check; nothing where the question is honest or too little is there."""
    findings: dict[tuple[str, bool], Finding] = {}
    for finding in _all(case):
        findings.setdefault((finding.check, finding.refuses), finding)
    refused = {check for check, refuses in findings if refuses}
    return tuple(finding for finding in findings.values() if finding.refuses or finding.check not in refused)


def settle(case: AuditInput, findings: Sequence[Finding], accept: Iterable[str] = ()) -> tuple[str, ...]:
    """The notes that an answer carries: warnings, and what was accepted knowingly.

    Raises AuditError with every finding that refuses and was not accepted.
    """
    accepted = set(accept)
    refused = [finding for finding in findings if finding.refuses and finding.check not in accepted]
    if refused:
        raise AuditError(_refusal(case, refused))
    status = {True: "accepted", False: "look at this"}
    return tuple(f"audit, {finding.check} ({status[finding.refuses]}): {finding.sentence}" for finding in findings)


def accepted(findings: Sequence[Finding], accept: Iterable[str]) -> tuple[str, ...]:
    """The checks that failed and were accepted knowingly, in order."""
    return tuple(sorted({finding.check for finding in findings if finding.refuses} & set(accept)))


def _refusal(case: AuditInput, refused: Sequence[Finding]) -> str:
    lines = [f"  {finding.check}: {finding.sentence}" for finding in refused]
    names = ", ".join(f'"{finding.check}"' for finding in refused)
    return "\n".join(
        [
            f"the audit of task '{case.task.name}' ({case.split.horizon_days} days) expected nothing odd, found:",
            *lines,
            f"mend it; or, knowing what you do, train all the same with [train] accept = [{names}] (docs/audit.md)",
        ]
    )


def _all(case: AuditInput) -> Iterator[Finding]:
    seen = sample_log(case)
    yield from task_definition.turned(case, seen)
    yield from task_definition.absent(case, seen)
    yield from log_gaps.windows(case)
    yield from log_gaps.silences(case, seen)
    if not len(case.rows):
        return
    yield from population.membership(case, seen)
    yield from labels.recomputed(case, seen)
    yield from split.split_in_time(case)
    yield from future.known_after(case, seen)
    yield from drift.members_now(case, seen)
    yield from task_definition.constant(case, seen)
    yield from task_definition.ruled(case, seen)
    yield from population.survivors(case, seen)
    yield from marketer_events.caused_by_firm(case, seen)
    yield from labels.by_recency(case)
    yield from leaky_columns.too_good(case)
    yield from leaky_columns.of_today(case, seen)
    yield from split.shuffled(case)
    yield from drift.moved(case)
