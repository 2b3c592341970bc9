"""What all tests share: the settings, the data folder, the services, Hypothesis."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, configuration
from hypothesis import settings as hypothesis

from features.system import environment

environment.apply()  # before any test imports a library that reads its switches while it is imported
os.environ.setdefault("MPLBACKEND", "Agg")

ROOT = Path(__file__).parents[1]
SERVICES_REQUIRED = os.environ.get("JOURNEYCAST_REQUIRE_SERVICES") == "1"

configuration.set_hypothesis_home_dir(ROOT / ".cache" / "hypothesis")
hypothesis.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.register_profile("ci", hypothesis.get_profile("here"), derandomize=True, print_blob=True)
hypothesis.load_profile("ci" if SERVICES_REQUIRED else "here")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real logs: JOURNEYCAST_DATA, else `../shared/data` beside the checkout."""
    folder = Path(os.environ.get("JOURNEYCAST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the real logs are not in {folder}; JOURNEYCAST_DATA names their folder")
    return folder


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """The address of a PostgreSQL server that tests may write to, for those marked `postgres`."""
    url = os.environ.get("JOURNEYCAST_POSTGRES", "")
    if url:
        return url
    missing = "no PostgreSQL server: JOURNEYCAST_POSTGRES gives its address"
    if SERVICES_REQUIRED:
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def tracking_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database, to be copied to `workspace/mlflow.db`: making one takes seconds."""
    from features.config.load import parse
    from models.registry.versions import Registry

    folder = tmp_path_factory.mktemp("tracking")
    Registry.open(parse({}, folder=folder))
    return folder / "workspace" / "mlflow.db"
