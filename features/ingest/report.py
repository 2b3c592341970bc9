"""What an ingest did and what the store holds now, for a person to read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.ingest.plan import Plan
from features.store.manifest import Manifest
from features.store.statistics import StoreStatistics
from features.timeline import iso

EVENTS_SHOWN = 12


@dataclass(frozen=True)
class IngestReport:
    """Files of this ingest by what became of them; rows, reasons and statistics of the whole store.

    Of its `buckets`, `built` were written in this ingest.
    """

    taken: tuple[str, ...]
    skipped: tuple[str, ...]
    replaced: tuple[str, ...]
    rows: int
    quarantined: Mapping[str, int]
    profile_rows: int
    profile_quarantined: Mapping[str, int]
    quarantine_folder: str
    statistics: StoreStatistics
    buckets: int
    built: int

    @property
    def quarantined_share(self) -> float:
        """Of all rows of the log, from 0 to 1."""
        return sum(self.quarantined.values()) / self.rows if self.rows else 0.0


def report(manifest: Manifest, folder: str, plan: Plan, built: int) -> IngestReport:
    """The report of an ingest by `plan` that led to `manifest` and `built` buckets; `folder` holds the quarantine."""
    logs = [file.counts for file in manifest.taken if file.kind == "log"]
    profiles = [file.counts for file in manifest.taken if file.kind == "profile"]
    return IngestReport(
        taken=tuple(found.name for found in plan.new if found.name not in plan.replaced),
        skipped=plan.skipped,
        replaced=plan.replaced,
        rows=sum(counts.rows for counts in logs),
        quarantined=_by_reason([counts.quarantined for counts in logs]),
        profile_rows=sum(counts.rows for counts in profiles),
        profile_quarantined=_by_reason([counts.quarantined for counts in profiles]),
        quarantine_folder=folder,
        statistics=manifest.statistics,
        buckets=len(manifest.buckets),
        built=built,
    )


def render(report: IngestReport) -> str:
    """The report as lines of text."""
    found = report.statistics
    lines = [
        f"files      {len(report.taken)} taken, {len(report.skipped)} already known, {len(report.replaced)} replaced",
        f"buckets    {report.built:,} of {report.buckets:,} built anew",
        f"rows       {found.rows:,} stored of {report.rows:,}",
        f"customers  {found.customers:,}",
    ]
    if found.first is not None and found.newest is not None and found.newest_known is not None:
        lines.append(f"span       {iso(found.first)} to {iso(found.newest)}, known to {iso(found.newest_known)}")
    shown = list(found.events.items())[:EVENTS_SHOWN]
    more = [f"and {len(found.events) - EVENTS_SHOWN} more"] if len(found.events) > EVENTS_SHOWN else []
    lines.append("events     " + ", ".join([*(f"{name} {count:,}" for name, count in shown), *more]))
    lines.append(f"gaps       {_gaps(found)}")
    lines.append(f"duplicates {_duplicates(found)}")
    lines += _quarantine("quarantine", report.quarantined, report.rows)
    if report.profile_rows:
        lines.append(f"profile    {report.profile_rows:,} rows")
        lines += _quarantine("  of those", report.profile_quarantined, report.profile_rows)
    if report.quarantined or report.profile_quarantined:
        lines.append(f"           the rows with their reasons are in {report.quarantine_folder}")
    return "\n".join(lines)


def _gaps(found: StoreStatistics) -> str:
    if not found.days_without or found.longest_gap_from is None:
        return "none: every day (UTC) has an event"
    days = "1 day" if found.longest_gap_days == 1 else f"{found.longest_gap_days:,} days"
    start = iso(found.longest_gap_from)[:10]
    return f"{found.days_without:,} days (UTC) without an event, the longest gap {days} from {start}"


def _duplicates(found: StoreStatistics) -> str:
    equal = f"{found.equal_rows:,} rows equal another, {'dropped' if found.equal_dropped else 'kept'}"
    return f"{found.repeated_ids:,} rows of a repeated id dropped; {equal}" if found.repeated_ids else equal


def _quarantine(label: str, reasons: Mapping[str, int], rows: int) -> list[str]:
    bad = sum(reasons.values())
    share = f"{bad / rows:.2%} of rows ({bad:,})" if bad else "no row"
    return [f"{label} {share}", *(f"           {count:>9,}  {reason}" for reason, count in reasons.items())]


def _by_reason(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))
