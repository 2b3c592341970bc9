"""The model card: what a model is for, what it was made of, how good it is and where it ends, in Markdown.

Every figure in it comes from the training itself.
"""

from collections import Counter
from collections.abc import Iterator

from features.config.tasks import TaskConfig
from features.timeline import iso
from models.grades import FLAT
from models.predictor.actions import Actions
from models.predictor.predictor import Predictor
from training.gate.gate import Verdict
from training.tracking.evidence import Evidence, HorizonEvidence, rung_name
from training.tracking.model_card_tables import CALIBRATION, SHOWN, actions, candidates, figures, parts
from training.tracking.model_card_task import as_written, label, misuse, population, purpose

GRADES = "A to D, by the lower end of the interval of the loss saved against the baseline"
ACTION_GRADES = "A to D, by how surely the best action and doing nothing differ"


def card(shop: str, evidence: Evidence, verdict: Verdict, *, toml: str) -> str:
    """The card of one training of a task, one to two pages, in the words of `toml`, the configuration's text."""
    bundle = evidence.bundle
    task = as_written(bundle.task, toml)
    sections = [
        [f"# {shop}.{bundle.task.name}", "", *_headline(evidence, verdict)],
        ["## Purpose", "", purpose(task)],
        ["## Data", "", *_data(evidence)],
        ["## Population and label", "", population(task), "", label(task)],
        ["## Features", "", *_features(evidence)],
        *([_heading(evidence, predictor), "", *_answer(evidence, predictor)] for predictor in evidence.predictors),
        *([["## Gate", "", *_gate(verdict)]] if verdict.conditions else []),
        ["## Limits", "", *_limits(evidence)],
        ["## Not for", "", *(f"- {use}" for use in misuse(task))],
        ["## To make it again", "", *_again(shop, evidence)],
    ]
    return "\n".join("\n".join([*part, ""]) for part in sections)


def _headline(evidence: Evidence, verdict: Verdict) -> Iterator[str]:
    for predictor in evidence.predictors:
        meaning = ACTION_GRADES if isinstance(predictor, Actions) else GRADES
        yield f"- **{predictor.horizon_days} days**: {rung_name(predictor)}, grade **{predictor.grade}** ({meaning})"
    yield f"- The gate {'let it pass' if verdict.passed else 'refused it'}: {verdict.reason}"


def _gate(verdict: Verdict) -> Iterator[str]:
    for condition in verdict.conditions:
        outcome = "passed" if condition.passed else "**refused**"
        yield f"- {outcome}, {condition.name.replace('_', ' ')}: {condition.message}"


def _data(evidence: Evidence) -> Iterator[str]:
    facts = evidence.bundle.facts
    survey = facts.get("survey", {})
    if survey:
        events = ", ".join(f"{count:,} {name}" for name, count in survey.get("events", {}).items())
        yield f"- {survey['customers']:,} customers, {survey['rows']:,} rows of the log: {events}"
    end = f", labels end at {iso(facts['end_us'])}" if "end_us" in facts else ""
    yield f"- seen as of {iso(evidence.bundle.trained_as_of_us)}{end}"
    yield f"- store `{evidence.store_digest[:16]}…`, log position {facts.get('log_position')}"


def _features(evidence: Evidence) -> Iterator[str]:
    features = evidence.bundle.features
    if evidence.bundle.actions is not None:
        yield f"None is read: the same action for everybody. The bundle carries the {len(features)} of the shop."
        return
    kinds = Counter(getattr(feature, "what", "own") for feature in features.features)
    listed = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in kinds.most_common())
    yield f"{len(features)} features, fingerprint `{features.fingerprint[:16]}…`, all read up to and including the"
    yield f"cutoff: {listed}. The list is in `features.json`."


def _heading(evidence: Evidence, predictor: Predictor | Actions) -> str:
    return (
        f"## {predictor.horizon_days} days"
        if evidence.suffix(predictor.horizon_days)
        else "## How it was chosen and how good it is"
    )


def _answer(evidence: Evidence, predictor: Predictor | Actions) -> Iterator[str]:
    if isinstance(predictor, Actions):
        yield from actions(predictor)
        return
    horizon = evidence.of(predictor.horizon_days)
    yield from (f"- {note}" for note in predictor.notes)
    yield ""
    if horizon is None:
        yield "There were no later rows to measure it on."
        return
    kind = "money" if predictor.is_money else "probability"
    yield f"Baseline: {_baseline(evidence.bundle.task, predictor)}."
    yield ""
    yield from candidates(horizon)
    test = str(horizon.dates["test"])[:10]
    yield from figures(f"out of time ({horizon.trained.rows.get('test', 0):,} rows of {test})", SHOWN[kind], predictor)
    yield from figures("calibration", CALIBRATION[kind], predictor)
    yield from parts("period (test at the end; earlier ones refitted)", horizon.diagnostics.periods)
    yield from parts("segment of the test", horizon.diagnostics.segments)
    yield from _strongest(evidence, horizon)


def _baseline(task: TaskConfig, predictor: Predictor) -> str:
    if predictor.rung.name == "rule":
        return FLAT
    whole = task.definition.baseline
    return whole if task.churn_event else whole.partition(";")[0]


def _strongest(evidence: Evidence, horizon: HorizonEvidence) -> Iterator[str]:
    strongest = horizon.diagnostics.attributions
    if strongest is not None:
        texts = [evidence.bundle.features.features[index].text for index in strongest.feature[:8].tolist()]
        yield f"What moves its scores most: {'; '.join(texts)}."


def _limits(evidence: Evidence) -> Iterator[str]:
    for predictor in evidence.predictors:
        if predictor.grade in ("C", "D"):
            yield f"- Grade {predictor.grade} at {predictor.horizon_days} days: it is not sure to beat the baseline."
        if "extrapolated" in predictor.flags:
            days = predictor.horizon_days
            yield f"- {days} days are carried over from a shorter horizon that history holds three times."
    yield "- It knows what the log holds up to its as-of. New customers get the average of all; what is not in the log,"
    yield "  such as competitors, prices elsewhere or a change of the shop, it does not see."
    yield "- The test is one period. Another season may be harder; the table by period shows how much it varied."


def _again(shop: str, evidence: Evidence) -> Iterator[str]:
    bundle, facts = evidence.bundle, evidence.bundle.facts
    yield f"`journeycast train {bundle.task.name} --as-of {iso(bundle.trained_as_of_us)}` with the `journeycast.toml`"
    yield f"of this run, seed {facts.get('seed')}, code {facts.get('code_version')}, the store above and the same"
    yield f"champion. Its bundle in shop {shop} then has the digest `{bundle.digest or evidence.folder.name}`."
    if not facts.get("repeatable", True):
        yield "Its trees were searched for minutes, not trials: another training may find others."
