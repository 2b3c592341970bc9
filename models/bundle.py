"""A bundle: a fitted task with all that scoring needs, as plain files in a folder named by its own digest.

`bundle.json` (task, answers, actions, facts), `features.json`, LightGBM texts, and `manifest.json` with the SHA-256 of
each. The digest of the bundle is the SHA-256 of the manifest's bytes. `load` checks it, then every file, before any
parser sees a byte; what was hashed is what is parsed.
"""

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from features.config.tasks import TaskConfig
from features.errors import BundleError
from features.language.feature_set import FeatureSet
from features.system.files import atomic_folder, canonical_json, text_digest
from models.predictor.actions import Actions, unpack_actions
from models.predictor.predictor import Predictor, unpack_predictor

FORMAT = 3
MANIFEST = "manifest.json"
REMEDY = "restore it or train again"
LARGEST_FILE = 2**30  # bytes; nothing honest comes near


@dataclass(frozen=True, eq=False)
class Bundle:
    """One task's fitted model: a predictor per horizon (ascending), or the actions of a next_action task.

    `facts` are plain JSON: `trained_as_of_us` (µs UTC), `log_position`, `end_us` (end of the data), `code_version`,
    `seed`, `survey`, and `prior`: per horizon (as text) the `score`, `low`, `high` and `baseline` of a customer nobody
    knows. `digest` is empty until the bundle is loaded.
    """

    task: TaskConfig
    features: FeatureSet
    predictors: tuple[Predictor, ...]
    actions: Actions | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""

    @property
    def trained_as_of_us(self) -> int:
        """The instant the training looked at the world from, µs UTC."""
        return int(self.facts["trained_as_of_us"])


def save(bundle: Bundle, bundles: Path) -> Path:
    """Write `bundles/<digest>/`, whole or not at all; the folder's name is the digest.

    Saving the same bundle again changes nothing.
    """
    files = _files(bundle)
    manifest = canonical_json(
        {
            "format": FORMAT,
            "fingerprint": bundle.features.fingerprint,
            "files": {name: text_digest(text) for name, text in files.items()},
        }
    )
    folder = bundles / text_digest(manifest)
    if not folder.exists():
        try:
            with atomic_folder(folder) as temporary:
                for name, text in {**files, MANIFEST: manifest}.items():
                    (temporary / name).write_bytes(text.encode())
        except OSError:
            if not folder.is_dir():  # else another process was faster
                raise
        else:
            return folder
    _checked(folder, folder.name)
    return folder


def load(folder: Path, expected_digest: str) -> Bundle:
    """The bundle in `folder`.

    Raises:
        BundleError: the folder holds anything but the very bytes that `expected_digest` stands for, or this version
            computes the features differently.
    """
    texts = _checked(folder, expected_digest)
    plain, features = json.loads(texts["bundle.json"]), FeatureSet.from_json(json.loads(texts["features.json"]))
    written = json.loads(texts[MANIFEST])["fingerprint"]
    if features.fingerprint != written:
        raise BundleError(
            f"{folder} was trained on features with fingerprint {written[:12]}…, this version computes "
            f"{features.fingerprint[:12]}…: its scores would be wrong; train again, or use the version that made it"
        )
    predictors = tuple(
        unpack_predictor(packed, _named(texts, f"answer-{packed['horizon_days']}-")) for packed in plain["answers"]
    )
    actions = None if plain["actions"] is None else unpack_actions(plain["actions"], _named(texts, "actions-"))
    task = TaskConfig.model_validate(plain["task"])
    return Bundle(task, features, predictors, actions, plain["facts"], expected_digest)


def equipped(bundle: Bundle, current: FeatureSet) -> Bundle:
    """The bundle with the functions of its module of features at hand; `current` are the features of the module read.

    Raises:
        BundleError: it was trained with a module, and `current` come from none or from another.
    """
    trained, module = bundle.features.module, current.module
    if trained is None:
        return bundle
    training = f"task '{bundle.task.name}' was trained with a module of features (SHA-256 {trained.digest[:12]}…)"
    remedy = "train again, or restore the file, which the MLflow run of that training keeps in its artifacts"
    if module is None:
        raise BundleError(f"{training}, and the TOML names none; name it in [features] module, {remedy}")
    if module != trained:
        raise BundleError(f"{training}, and {module.name} has changed since (SHA-256 {module.digest[:12]}…); {remedy}")
    return replace(bundle, features=replace(bundle.features, module=module))


def _files(bundle: Bundle) -> dict[str, str]:
    answers: list[dict[str, Any]] = []
    texts: dict[str, str] = {}
    for predictor in sorted(bundle.predictors, key=lambda predictor: predictor.horizon_days):
        plain, named = predictor.pack()
        answers.append(plain)
        texts |= {f"answer-{predictor.horizon_days}-{name}.txt": text for name, text in named.items()}
    actions, named = (None, {}) if bundle.actions is None else bundle.actions.pack()
    texts |= {f"actions-{name}.txt": text for name, text in named.items()}
    plain = {
        "task": bundle.task.model_dump(mode="json", exclude_unset=True),  # what was not said stays not said
        "answers": answers,
        "actions": actions,
        "facts": bundle.facts,
    }
    return {"bundle.json": canonical_json(plain), "features.json": canonical_json(bundle.features.to_json()), **texts}


def _named(texts: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {
        name.removeprefix(prefix).removesuffix(".txt"): text for name, text in texts.items() if name.startswith(prefix)
    }


def _checked(folder: Path, expected_digest: str) -> dict[str, str]:
    """Every file's text by name, once all bytes are known to be the right ones."""
    if folder.is_symlink() or not folder.is_dir():
        raise BundleError(f"expected the bundle {expected_digest[:12]}… in {folder}, found no folder; train again")
    names = {entry.name for entry in os.scandir(folder)}
    manifest = _read(folder, MANIFEST, expected_digest)
    described = json.loads(manifest)
    if (found_format := described.get("format")) != FORMAT:
        remedy = (
            "train again, or use the " + ("newer" if int(found_format) > FORMAT else "older") + " version that made it"
        )
        raise BundleError(f"{folder} has bundle format {found_format}, this version reads {FORMAT}; {remedy}")
    files: dict[str, str] = described["files"]
    if names != {MANIFEST, *files}:
        differing = sorted(names ^ {MANIFEST, *files})
        raise BundleError(
            f"{folder} was changed: expected exactly the files of its manifest, but {differing} differ; {REMEDY}"
        )
    return {name: _read(folder, name, file_digest) for name, file_digest in files.items()} | {MANIFEST: manifest}


def _read(folder: Path, name: str, expected_digest: str) -> str:
    path = folder / name
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise BundleError(f"expected the plain file {path}, found none ({error.strerror}); {REMEDY}") from None
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(LARGEST_FILE) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    actual_digest = hashlib.sha256(data).hexdigest()
    if actual_digest != expected_digest:
        raise BundleError(
            f"{path} was changed: expected SHA-256 {expected_digest[:12]}…, found {actual_digest[:12]}…; {REMEDY}"
        )
    return data.decode()
