"""The runs below a training's: one per rung that was judged, one per trial of trees that tells something."""

from collections.abc import Iterator, Mapping, Sequence

from features.timeline import SECOND_US
from models.registry.runs import Child, Run
from training.selection.choose import Candidate
from training.tracking.evidence import Evidence, HorizonEvidence

ALL_OF = 20  # trials: a search of up to so many shows every one
MOST = 30  # trials shown of a longer search
STATUS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}
NOTE = "mlflow.note.content"  # what MLflow shows on top of a run's page
RUNG_NOTE = (
    "One way to answer, fitted on earlier rows and judged on later ones. `loss` is what it loses there: log-loss, or "
    "for money squared errors over the rule's. `saved` is by how much less that is than the rule's, ± `saved_error`."
)
TRIAL_NOTE = (
    "One way to grow trees, tried by the search: `loss` is its loss on later rows of the search, `trees` how many were "
    "best. A trial that is *killed* was stopped early, because it lost more than others had by then: no failure."
)
Trial = Mapping[str, object]
NO_PARAMS = frozenset({"trial", "state", "loss", "trees", "seconds", "began"})


def children(run: Run, evidence: Evidence) -> None:
    """Leave a run below this one for everything that was tried."""
    for horizon in evidence.horizons:
        ending = f", {horizon.horizon_days} days" if evidence.suffix(horizon.horizon_days) else ""
        for child in (*_rungs(horizon, ending), *_trials(horizon, ending)):
            run.log_child(child)


def telling(trials: Sequence[Trial]) -> list[Trial]:
    """Of a long search the start, the champion's growth, what improved on the best so far, and what was stopped or
    failed; `MOST` of them at most, what improved before all others.
    """
    if len(trials) <= ALL_OF:
        return list(trials)
    ranked = sorted(enumerate(trials), key=lambda numbered: (_rank(trials, numbered[0]), numbered[0]))
    shown = sorted(place for place, _ in ranked[:MOST] if _rank(trials, place) < len(RANKS))
    return [trials[place] for place in shown]


RANKS = ("began", "improved", "stopped")


def _rank(trials: Sequence[Trial], place: int) -> int:
    trial = trials[place]
    if trial.get("began"):
        return 0
    if trial["state"] != "complete":
        return 2
    return 1 if _loss(trial) < min(map(_loss, trials[:place]), default=float("inf")) else len(RANKS)


def _loss(trial: Trial) -> float:
    loss = trial.get("loss")
    return float(loss) if isinstance(loss, int | float) and trial["state"] == "complete" else float("inf")


def _rungs(horizon: HorizonEvidence, ending: str) -> Iterator[Child]:
    for kind, candidates in (("rung", horizon.candidates), ("rung for silence", horizon.quiet_candidates)):
        for candidate in candidates:
            yield _rung(candidate, f"{kind}: {candidate.name}{ending}", horizon)


def _rung(candidate: Candidate, name: str, horizon: HorizonEvidence) -> Child:
    figures = {"loss": candidate.loss, "saved": candidate.saved, "saved_error": candidate.error}
    return Child(
        name=name,
        status="FINISHED",
        tags={
            NOTE: RUNG_NOTE,
            "part": "rung",
            "horizon_days": str(horizon.horizon_days),
            "chosen": "true" if candidate.chosen else "false",
        },
        params=candidate.recipe,
        metrics={key: value for key, value in figures.items() if value is not None},
    )


def _trials(horizon: HorizonEvidence, ending: str) -> Iterator[Child]:
    best = min(map(_loss, horizon.trials), default=float("inf"))
    for trial in telling(horizon.trials):
        state, loss, trees, seconds = (trial.get(key) for key in ("state", "loss", "trees", "seconds"))
        figures = {"loss": loss, "trees": trees, "seconds": seconds}
        took = float(seconds) if isinstance(seconds, int | float) else 0.0
        yield Child(
            name=f"trial {trial['trial']}{ending}",
            status=STATUS.get(str(state), "FINISHED"),
            tags={
                NOTE: TRIAL_NOTE,
                "part": "trial",
                "horizon_days": str(horizon.horizon_days),
                "state": str(state),
                "chosen": "true" if _loss(trial) == best else "false",
                **({"began": str(trial["began"])} if trial.get("began") else {}),
            },
            params={key: value for key, value in trial.items() if key not in NO_PARAMS and value is not None},
            metrics={key: float(value) for key, value in figures.items() if isinstance(value, int | float)},
            took_ms=round(took * SECOND_US / 1000),
        )
