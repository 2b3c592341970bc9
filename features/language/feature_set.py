"""An ordered choice of features: the columns of a panel, with the fingerprint that says which numbers they give."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from features.errors import ConfigError
from features.language.feature import AnyFeature, Feature, Stream, mistakes
from features.language.functions import FunctionFeature, UserModule
from features.language.kinds import LOCAL
from features.system.files import canonical_json, text_digest
from features.timeline import zone

KERNEL_VERSION = 3  # raise it when the same declaration gives other numbers


@dataclass(frozen=True)
class FeatureSet:
    """An ordered choice of features: the columns of a panel. Names are unique.

    `timezone` says when a day begins, for those that read hours, days or the season. `module` is the file that features
    come from, if some do.
    """

    features: tuple[AnyFeature, ...]
    timezone: str = "UTC"
    module: UserModule | None = None

    def __post_init__(self) -> None:
        zone(self.timezone)
        seen: set[str] = set()
        for feature in self.features:
            if isinstance(feature, Feature):
                for _, mistake in mistakes(feature):
                    raise ConfigError(mistake)
            elif self.module is None:
                raise ConfigError(f"expected the module that {feature.name} comes from, found none; name it")
            if feature.name in seen:
                raise ConfigError(f"expected every feature once, found '{feature.name}' twice; remove one")
            seen.add(feature.name)

    def __len__(self) -> int:
        return len(self.features)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.features, self.timezone, self.module))  # of hundreds of features, at every request

    @property
    def declared(self) -> tuple[Feature, ...]:
        """Those of the language, which the kernel computes."""
        return tuple(feature for feature in self.features if isinstance(feature, Feature))

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, in order."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def position(self) -> Mapping[str, int]:
        """Column of each feature, by name."""
        return {name: column for column, name in enumerate(self.names)}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over declarations, module and the kernel's version: equal fingerprints give equal numbers."""
        return text_digest(canonical_json({"kernel": KERNEL_VERSION, **self.to_json()}))

    def to_json(self) -> dict[str, Any]:
        """Plain data from which `from_json` makes the same set."""
        module = {} if self.module is None else {"module": self.module.digest}
        return {"timezone": self.timezone, "features": [_json(feature) for feature in self.features], **module}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "FeatureSet":
        """The set that `to_json` wrote; of its module only the digest."""
        module = UserModule(data["module"]) if "module" in data else None
        return FeatureSet(tuple(_feature(declaration) for declaration in data["features"]), data["timezone"], module)

    def union(self, *others: "FeatureSet") -> "FeatureSet":
        """This set and what the others add to it, each feature once; ConfigError when their days begin apart."""
        sets = (self, *others)
        zones = {chosen.timezone for chosen in sets if chosen.is_local} or {self.timezone}
        if len(zones) > 1:
            raise ConfigError(f"expected features of one time zone, found {', '.join(sorted(zones))}; train all anew")
        modules = list(dict.fromkeys(chosen.module for chosen in sets if chosen.module is not None))
        if len(modules) > 1:
            raise ConfigError(f"expected features of one module, found {len(modules)}; train all anew")
        features = dict.fromkeys(feature for chosen in sets for feature in chosen.features)
        return FeatureSet(tuple(features), zones.pop(), *modules)

    @property
    def is_local(self) -> bool:
        """Whether a feature reads local time."""
        return any(feature.kind in LOCAL for feature in self.declared)


def _json(feature: AnyFeature) -> dict[str, Any]:
    declaration = {"what" if key == "kind" else key: value for key, value in asdict(feature).items()}
    if isinstance(feature, Feature) and not feature.stream.bounds:
        del declaration["stream"]["bounds"]  # a stream without bounds keeps its fingerprint
    return declaration


def _feature(declaration: Mapping[str, Any]) -> AnyFeature:
    if "function" in declaration:
        return FunctionFeature(**declaration)
    stream = declaration["stream"]
    conditions = tuple((column, level) for column, level in stream["where"])
    bounds = tuple((column, how, bound) for column, how, bound in stream.get("bounds", ()))
    return Feature(
        kind=declaration["what"],
        stream=Stream(tuple(stream["events"]), conditions, bounds),
        column=declaration["column"],
        window_days=declaration["window_days"],
        level=declaration["level"],
    )
