"""What an ingest has to do: the files that lie there now, held against what the manifest says was taken before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from features.config.sections import Config
from features.errors import ConfigError, LogError
from features.log.formats import find, given
from features.log.validate import SourceKind
from features.store.manifest import STORE, Manifest, SourcePath, TakenFile, mapping_fingerprint
from features.system.files import digest


@dataclass(frozen=True)
class SourceFile:
    """A source file as it lies there now: `name` is its path as the manifest writes it."""

    kind: SourceKind
    path: Path
    name: str
    digest: str


@dataclass(frozen=True)
class Plan:
    """What there is to do: `new` are contents to take, each once; `paths` says what every path gives afterwards.

    `kept` are taken files that stay; `skipped` and `replaced` are paths, for the report.
    """

    mapping: str
    new: tuple[SourceFile, ...]
    paths: tuple[SourcePath, ...]
    kept: tuple[TakenFile, ...]
    skipped: tuple[str, ...]
    replaced: tuple[str, ...]

    def leaves(self, before: Manifest) -> bool:
        """Whether nothing is to be done."""
        return before.mapping == self.mapping and not self.new and before.paths == self.paths


def plan_ingest(config: Config, files: Sequence[Path] | None, before: Manifest | None) -> Plan:
    """The plan to bring the store up to date with the sources of the TOML, or with `files` of the log."""
    mapping, found = mapping_fingerprint(config), _found(config, files)
    if before is not None and before.mapping != mapping:
        found += _taken_before(config, before, found)
    taken = () if before is None or before.mapping != mapping else before.taken
    former = {} if before is None else {(path.kind, path.path): path.digest for path in before.paths}
    paths = former | {(each.kind, each.name): each.digest for each in found}
    alive = {(kind, content) for (kind, _), content in paths.items()}
    new = _each_once(found, {(file.kind, file.digest) for file in taken})
    replaced = {each.name for each in found if former.get((each.kind, each.name), each.digest) != each.digest}
    old = {each.name for each in found} - {each.name for each in new} - replaced
    return Plan(
        mapping=mapping,
        new=new,
        paths=tuple(SourcePath(kind, name, content) for (kind, name), content in sorted(paths.items())),
        kept=tuple(file for file in taken if (file.kind, file.digest) in alive),
        skipped=tuple(sorted(old)),
        replaced=tuple(sorted(replaced)),
    )


def _each_once(found: Iterable[SourceFile], known: set[tuple[SourceKind, str]]) -> tuple[SourceFile, ...]:
    """Of every content that is not known yet the first file that has it."""
    new: dict[tuple[SourceKind, str], SourceFile] = {}
    for each in found:
        if (each.kind, each.digest) not in known:
            new.setdefault((each.kind, each.digest), each)
    return tuple(new.values())


def _found(config: Config, files: Sequence[Path] | None) -> list[SourceFile]:
    """The files of log and profile that lie there now, in order."""
    if files is None and not config.log.source:
        raise ConfigError('expected files of the log, found none: set `source` in [log], such as ["events/*.parquet"]')
    logs = find(config.folder, config.log.source) if files is None else given(files)
    profiles = find(config.folder, config.profile.source)
    both: list[tuple[SourceKind, Path]] = [*(("log", path) for path in logs), *(("profile", path) for path in profiles)]
    return [SourceFile(kind, path, _name(config, path), digest(path)) for kind, path in both]


def _name(config: Config, path: Path) -> str:
    return path.relative_to(config.folder).as_posix() if path.is_relative_to(config.folder) else path.as_posix()


def _taken_before(config: Config, before: Manifest, found: Sequence[SourceFile]) -> list[SourceFile]:
    """After a change of mapping: the files taken under the former one, which must be read again."""
    at_hand = {(each.kind, each.digest) for each in found}
    again, missing = [], []
    for source in before.paths:
        path = config.folder / source.path
        if (source.kind, source.digest) in at_hand or source.path in {each.name for each in found}:
            continue
        if path.is_file() and digest(path) == source.digest:
            again.append(SourceFile(source.kind, path, source.path, source.digest))
        else:
            missing.append(source.path)
    if missing:
        raise LogError(
            "[log], [profile] or the columns that tasks or features read have changed, so every file must be read "
            f"again, but these are gone or changed: {', '.join(missing)}; bring them back, or remove "
            f"{config.workspace_path / STORE} "
            "to start over"
        )
    return again
