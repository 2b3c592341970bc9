"""What an older or a newer version wrote is read, or refused with what to do; the ledger's is in `test_ledger`."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from features.config.load import parse
from features.errors import BundleError, JourneycastError, StoreError
from features.system.files import canonical_json
from models import bundle as bundles
from models.bundle import load, save
from models.registry.versions import Registry
from tests.support import bundles as fitted
from tests.support import log_files
from training.tuning.budget import study_address
from training.tuning.cleanup import drop_study, old_studies


@pytest.mark.parametrize(("written", "by"), [(1, "older"), (2, "older"), (99, "newer")])
def test_a_bundle_of_another_format(written: int, by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(bundles, "FORMAT", written)
        folder = save(fitted.offer(), tmp_path)
    message = rf"has bundle format {written}, this version reads 3; train again, or use the {by} version that made it"
    with pytest.raises(BundleError, match=message):
        load(folder, folder.name)


@pytest.mark.parametrize("written", [1, 3, 99])
def test_a_store_of_another_format(written: int, tmp_path: Path) -> None:
    config = log_files.config(tmp_path)
    log_files.write(tmp_path / "log" / "a.csv", [log_files.event()])
    log_files.run(config)
    manifest = config.workspace_path / "store" / "manifest.json"
    others = {name: value for name, value in json.loads(manifest.read_text()).items() if name != "statistics"}
    manifest.write_text(canonical_json({**others, "version": written, "more": []}))
    message = rf"expected a store of version 4, found {written}; remove .*store and `ingest` all files of the log again"
    for read in (log_files.opened, log_files.run):
        with pytest.raises(StoreError, match=message):
            read(config)
    shutil.rmtree(manifest.parent)
    assert log_files.run(config).rows == 1


@pytest.mark.parametrize("written", ["f5a4f2784254", "of-the-future"])
def test_an_mlflow_database_of_another_version(written: str, tmp_path: Path, tracking_database: Path) -> None:
    config = parse({}, folder=tmp_path)
    config.workspace_path.mkdir()
    changed(shutil.copy(tracking_database, config.workspace_path / "mlflow.db"), written)
    with pytest.raises(JourneycastError, match=rf"database schema \(found version {written}.*run 'mlflow db upgrade"):
        Registry.open(config)


@pytest.mark.parametrize(
    ("written", "remedy"),
    [("v2.6.0.a", "execute `. optuna storage upgrade"), ("v9.9.9", "updating optuna")],
)
def test_a_database_of_studies_of_another_version(written: str, remedy: str, tmp_path: Path) -> None:
    config = parse({}, folder=tmp_path)
    config.workspace_path.mkdir()
    address = study_address(config)
    drop_study(address, "a study there is not")  # makes the database
    assert old_studies(address, "shop", 0) == ()
    changed(config.workspace_path / "studies.db", written)
    with pytest.raises(JourneycastError, match=rf"the studies at sqlite:.* could not be opened: .*{remedy}"):
        old_studies(address, "shop", 0)


def changed(database: str | Path, version: str) -> None:
    """The database as if another version of its library had made it."""
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
    connection.close()
