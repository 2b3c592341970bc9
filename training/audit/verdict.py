"""The audit: every check in turn, before anything is fitted. It refuses by name what does not show."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from features.errors import AuditError
from training.audit import columns, firm, future, labels, population, question, quiet, scored, sides
from training.audit.case import Case, Finding
from training.audit.glimpse import Glimpse, glimpse

Check = Callable[[Case, Glimpse], Iterator[Finding]]


def audit(case: Case) -> tuple[Finding, ...]:
    """What is wrong or odd, the first of each check; nothing where the question is honest or too little is there."""
    found: dict[tuple[str, bool], Finding] = {}
    for finding in _all(case):
        found.setdefault((finding.check, finding.refuses), finding)
    refused = {check for check, refuses in found if refuses}
    return tuple(one for one in found.values() if one.refuses or one.check not in refused)


def settle(case: Case, found: Sequence[Finding], accept: Iterable[str] = ()) -> tuple[str, ...]:
    """The notes that an answer carries: warnings, and what was accepted knowingly.

    Raises AuditError with every finding that refuses and was not accepted.
    """
    accepted = set(accept)
    refused = [one for one in found if one.refuses and one.check not in accepted]
    if refused:
        raise AuditError(_refusal(case, refused))
    said = {True: "accepted", False: "look at this"}
    return tuple(f"audit, {one.check} ({said[one.refuses]}): {one.sentence}" for one in found)


def accepted(found: Sequence[Finding], accept: Iterable[str]) -> tuple[str, ...]:
    """The checks that failed and were accepted knowingly, in order."""
    return tuple(sorted({one.check for one in found if one.refuses} & set(accept)))


def _refusal(case: Case, refused: Sequence[Finding]) -> str:
    lines = [f"  {one.check}: {one.sentence}" for one in refused]
    names = ", ".join(f'"{one.check}"' for one in refused)
    return "\n".join(
        [
            f"the audit of task '{case.task.name}' ({case.split.horizon_days} days) expected nothing odd, found:",
            *lines,
            f"mend it; or, knowing what you do, train all the same with [train] accept = [{names}] (docs/audit.md)",
        ]
    )


def _all(case: Case) -> Iterator[Finding]:
    seen = glimpse(case)
    yield from question.turned(case, seen)
    yield from question.absent(case, seen)
    yield from quiet.windows(case)
    yield from quiet.silences(case, seen)
    if not len(case.rows):
        return
    yield from population.membership(case, seen)
    yield from labels.recomputed(case, seen)
    yield from sides.split_in_time(case)
    yield from future.known_after(case, seen)
    yield from scored.members_now(case, seen)
    yield from question.constant(case, seen)
    yield from question.ruled(case, seen)
    yield from population.survivors(case, seen)
    yield from firm.caused_by_firm(case, seen)
    yield from labels.by_recency(case)
    yield from columns.too_good(case)
    yield from columns.of_today(case, seen)
    yield from sides.shuffled(case)
    yield from scored.moved(case)
