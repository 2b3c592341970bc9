"""Everything on PostgreSQL: a training whose runs, studies and ledger lie in databases that hosts may share."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from models.actor import Actor
from models.ledger import ADDRESS as LEDGER
from models.promotion import Promotion
from models.registry.client import ADDRESS as TRACKING
from tests.support.log_files import opened, run, write
from tests.support.training_shop import config, crowd
from training.run import train
from training.tuning.budget import ADDRESS as STUDIES

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture
def databases(postgres_url: str) -> Iterator[list[str]]:
    """Addresses of two fresh databases, which go again."""
    url, names = make_url(postgres_url), [f"journeycast_{secrets.token_hex(4)}" for _ in range(2)]
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for name in names:
            connection.execute(text(f"CREATE DATABASE {name}"))
        yield [url.set(database=name).render_as_string(hide_password=False) for name in names]
        for name in names:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def test_a_training_tracks_searches_and_promotes_there(
    tmp_path: Path, databases: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, address in zip((TRACKING, STUDIES, LEDGER), (databases[0], databases[1], databases[0]), strict=True):
        monkeypatch.setenv(variable, address)
    shop = config(tmp_path)
    write(tmp_path / "log" / "rows.jsonl", crowd(120, 240))
    run(shop)
    first, second = (
        train(shop, opened(shop), ["churn"], as_of=as_of, trials=2, who="anna", clock=lambda: 1)[0]
        for as_of in ("2024-07-01", "2024-08-20")
    )
    succession = Promotion.open(shop)
    if not second.promoted:
        succession.promote(
            "churn", succession.registry.version("churn", 2), Actor("anna", 2), why="a test", evidence={}
        )
    assert succession.rollback("churn", Actor("anna", 3), why="a test").digest == first.bundle.digest
    assert train(shop, opened(shop), ["churn"], as_of="2024-08-20", trials=2, clock=lambda: 4)[0].finished_before
    assert not {file.name for file in shop.workspace_path.iterdir()} & {"mlflow.db", "studies.db", "ledger.db"}
