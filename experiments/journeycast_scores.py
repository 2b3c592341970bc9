"""What the product says of a case, as a user gets it: ingest, train and score as of the past instant."""

import time

import pandas as pd

from experiments.flat_record import flat
from experiments.peers.run import CACHE
from experiments.questions import HERE, Case
from features.config.load import load
from features.ingest.run import ingest
from features.store.reader import Store
from features.system.files import atomic_write
from features.timeline import SECOND_US
from serving.score import score
from training.run import train


def ours(case: Case, which: str) -> pd.DataFrame:
    """A row for each customer; kept, so that tables can be made again without training (`which`: "cached")."""
    kept = CACHE / f"ours {case.experiment} {case.task} {case.as_of[:10]}.parquet"
    if which != "cached" or not kept.exists():
        frame = _scored(case)
        CACHE.mkdir(parents=True, exist_ok=True)
        with atomic_write(kept) as temporary:
            frame.to_parquet(temporary)
    return pd.read_parquet(kept)


def _scored(case: Case) -> pd.DataFrame:
    started = time.perf_counter()
    config = load(HERE / f"{case.experiment}.toml")
    config = config.model_copy(update={"workspace": f"{config.workspace}/{case.as_of[:10]}"})  # a past of its own
    ingest(config, clock=_now)
    train(config, Store.open(config.workspace_path, config), [case.task], as_of=case.as_of, promote=True, clock=_now)
    frame = flat(score(config, [case.task], as_of=case.as_of))
    print(f"{case.title}: {time.perf_counter() - started:.0f} s", flush=True)
    return frame


def _now() -> int:
    return int(time.time() * SECOND_US)
