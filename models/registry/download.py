"""A version's bundle out of the artifacts of its run, every byte checked before anything reads it."""

import json
import shutil
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from features.errors import BundleError
from features.system.files import check_digests
from models.bundle import MANIFEST
from models.registry import pyfunc
from models.registry.version import Version


def download(client: MlflowClient, version: Version, folder: Path) -> None:
    """The files of a version into `folder`, checked; BundleError where they are gone or not the ones registered."""
    source_uri = str(client.get_model_version(version.name, str(version.version)).source)
    path = pyfunc.PLACE if source_uri.endswith(f"/{pyfunc.FOLDER}") else pyfunc.BUNDLE
    try:
        source = Path(client.download_artifacts(version.run_id, path, str(folder)))
    except (MlflowException, OSError) as error:
        raise BundleError(
            f"expected the bundle {version.digest[:12]}… among the artifacts of run {version.run_id}, found none; "
            "restore them, promote another version or train again"
        ) from error
    try:
        _check(source, version)
    except BundleError as error:
        raise BundleError(str(error).replace(str(source), f"run {version.run_id}: {path}")) from None
    for file in source.iterdir():
        file.rename(folder / file.name)
    shutil.rmtree(folder / source.relative_to(folder).parts[0])


def _check(folder: Path, version: Version) -> None:
    """Every byte is the one that was registered."""
    check_digests(folder, {MANIFEST: version.digest}, BundleError)
    files: dict[str, str] = json.loads((folder / MANIFEST).read_bytes())["files"]
    check_digests(folder, files, BundleError)
