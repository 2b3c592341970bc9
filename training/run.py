"""All of training on one screen: survey → features → per task and horizon choose, test, refit → bundle → run → gate."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from features.compared import topics
from features.config import Config, TaskConfig
from features.defaults import Chosen, chosen
from features.edits import added
from features.errors import ConfigError
from features.files import canonical_json, text_digest
from features.module import own_features
from features.store import Store
from features.survey import Survey, survey
from features.timeline import SECOND_US, instant
from features.windows import FeatureSet
from models.bundle import Bundle, save
from models.registry.versions import Registry
from training.answers import Trained, train_answer
from training.evaluate import Tested
from training.gate import Verdict, verdict
from training.panels import Parts, history_start
from training.policy import learn
from training.rules import needed
from training.setting import Setting
from training.split import split
from training.tracking import Evidence, HorizonEvidence, track
from training.tune import Budget
from training.warm import grown_before

HELD_ROWS = 5_000_000


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of training a task: the registered bundle, and whether it serves now and why."""

    task: TaskConfig
    bundle: Bundle
    folder: Path
    version: int
    verdict: Verdict
    promoted: bool
    seconds: float


def train(  # noqa: PLR0913  as many arguments as the verb has options
    config: Config,
    store: Store,
    tasks: Sequence[str] | None = None,
    *,
    as_of: str | int | None = None,
    trials: int | None = None,
    minutes: float | None = None,
    promote: bool = True,
    clock: Callable[[], int],
    toml: str = "",
    progress: Callable[[str], None] = lambda _: None,
) -> list[Outcome]:
    """Fit, tune, test, track and register a bundle for each task (all when none is named), and promote what may serve.

    `as_of` is an instant (µs UTC, or ISO text) after which nothing is seen; `clock` gives µs UTC and times the phases;
    `toml` is the configuration's text, for the record. Equal store, configuration, seed and champion give equal
    bundles, but where `minutes` (for the trees of each model) bound the search instead of `trials`.
    """
    asked = [config.task(name) for name in tasks] if tasks else list(config.tasks.values())
    if not asked:
        raise ConfigError("expected at least one table [tasks.NAME] in the configuration, found none; add a task")
    setting, facts = prepare(config, store, as_of=as_of, trials=trials, minutes=minutes, progress=progress)
    registry = Registry.open(config)
    setting = replace(setting, champions=grown_before(registry, setting, asked))
    outcomes = []
    for task in asked:
        started = clock()
        bundle, trained = train_task(setting, task, facts)
        folder = save(bundle, config.workspace_path / "bundles")
        bundle = replace(bundle, digest=folder.name)
        seconds = (clock() - started) / SECOND_US
        found = verdict(registry, setting, bundle, trained)
        version = track(registry, _evidence(store, bundle, folder, trained, seconds), toml=toml)
        if found.passed and promote:
            registry.set_champion(task.name, version)
        outcomes.append(Outcome(task, bundle, folder, version.version, found, found.passed and promote, seconds))
    return outcomes


def prepare(
    config: Config,
    store: Store,
    *,
    as_of: str | int | None,
    trials: int | None,
    minutes: float | None = None,
    progress: Callable[[str], None],
) -> tuple[Setting, dict[str, Any]]:
    """What all tasks of a training share, and the facts that their bundles write down."""
    given = instant(as_of, config.log.timezone) if isinstance(as_of, str) else as_of
    now = store.end(config) if given is None else given
    end = store.label_end(now, config)

    tell, count = _telling(progress)
    tell("surveying the log")
    parts = _parts(store, now, count)
    found = survey(parts())
    first = end if found.first_us is None else min(history_start(parts, found.first_us), end)
    own = own_features(config)
    wanted = _chosen(config, own, found, first, end)
    features = FeatureSet(tuple(one.feature for one in wanted), config.log.timezone, own.module)
    if topics(features):
        tell("counting what everybody did")
        parts = _parts(store.with_crowd(topics(features), count), now, count)
    setting = Setting(
        config=config,
        parts=parts,
        features=features,
        reasons={one.feature.name: one.reason for one in wanted},
        as_of=now,
        first=first,
        end=end,
        budget=Budget(config.train.trials if trials is None else trials, minutes),
        tell=tell,
    )
    facts = {
        "trained_as_of_us": now,
        "end_us": end,
        "log_position": store.log_position,
        "code_version": _code_version(),
        "seed": config.seed,
        "repeatable": minutes is None,
        "survey": {"customers": found.customers, "rows": found.rows, "events": dict(sorted(found.events.items()))},
    }
    return setting, facts


def _code_version() -> str:
    try:
        return metadata.version("journeycast")
    except metadata.PackageNotFoundError:  # run from a checkout without an installation
        return "unknown"


def _telling(progress: Callable[[str], None]) -> tuple[Callable[[str], None], Callable[[int, int], None]]:
    """Say what is being done; and, while buckets are read for it, how many of how many."""
    doing = ""

    def tell(what: str) -> None:
        nonlocal doing
        doing = what
        progress(what)

    return tell, lambda done, total: progress(f"{doing} (bucket {done} of {total})")


def _parts(store: Store, now: int, count: Callable[[int, int], None]) -> Parts:
    """All journeys as of `now`: held in memory when they are few, else read anew bucket by bucket."""
    if store.manifest.statistics.rows <= HELD_ROWS:
        held = [journeys.as_of(now) for journeys in store.buckets(count)]
        return lambda: held
    return lambda: (journeys.as_of(now) for journeys in store.buckets(count))


def train_task(setting: Setting, task: TaskConfig, facts: dict[str, Any]) -> tuple[Bundle, tuple[Trained, ...]]:
    """The bundle of one task, unsaved, and how each of its answers came about."""
    if task.kind == "next_action":
        setting.tell(f"{task.name}: what each action gains")
        return Bundle(task, setting.features, (), learn(task, setting.parts, setting.end), facts), ()
    horizons = sorted(task.horizons_days)
    trained = tuple(train_answer(setting, task, split(days, setting.first, setting.end)) for days in horizons)
    more = {
        "prior": {str(one.answer.horizon_days): dict(one.prior) for one in trained},
        "growth": {str(one.answer.horizon_days): asdict(one.choice.growth) for one in trained if one.choice.growth},
    }
    return Bundle(task, setting.features, tuple(one.answer for one in trained), None, {**facts, **more}), trained


def _chosen(config: Config, own: FeatureSet, found: Survey, first: int, end: int) -> tuple[Chosen, ...]:
    """One set for all tasks of the shop, trained now or not: batch scoring computes it once. Baselines find theirs."""
    fitted = {
        (task.name, split(days, first, end).fitted_days): task
        for task in config.tasks.values()
        if task.kind != "next_action"
        for days in task.horizons_days
    }
    found_alone = chosen(found, config, sorted({days for _, days in fitted}))
    named = {one.feature.name: one for one in found_alone}
    for feature, reason in added(config, own, found):
        named.setdefault(feature.name, Chosen(feature, reason))
    for (name, days), task in fitted.items():
        for feature in needed(task, days).features:
            named.setdefault(feature.name, Chosen(feature, f"the baseline of task {name} reads it"))
    return tuple(named.values())


def _evidence(store: Store, bundle: Bundle, folder: Path, trained: Sequence[Trained], seconds: float) -> Evidence:
    """What is written to the run."""
    digest = text_digest(canonical_json([asdict(bucket) for bucket in store.manifest.buckets]))
    horizons = tuple(_horizon(one, one.tested) for one in trained if one.tested)
    return Evidence(bundle, folder, digest, horizons, {"train": seconds})


def _horizon(one: Trained, tested: Tested) -> HorizonEvidence:
    return HorizonEvidence(
        horizon_days=one.answer.horizon_days,
        split=one.split.describe(),
        rows=one.rows,
        chosen=one.choice.recipe.describe(),
        trials=one.choice.trials,
        truth=tested.truth,
        model=tested.model,
        baseline=tested.baseline,
        low=tested.low,
        high=tested.high,
    )
