"""User features: those of the Python file that `[features] module` names, run as it was hashed.

`FEATURES`, a list of declared `Feature`s, and every function under `@feature` (`features.language.functions`) become
features. The file stands alone: it may import what is installed, and only its own bytes are in the fingerprint.
"""

import ast
import hashlib
import sys
from collections import Counter
from types import ModuleType
from typing import Any

from features.config.sections import Config
from features.errors import ConfigError
from features.language.feature import Feature
from features.language.feature_set import FeatureSet
from features.language.functions import Function, UserModule, raised


def load_user_features(config: Config) -> FeatureSet:
    """The features of the module that the TOML names; none where it names none."""
    if config.features.module is None:
        return FeatureSet((), config.log.timezone)
    path = config.folder / config.features.module
    try:
        source = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"[features] module: expected a Python file at {path}, found none ({error.strerror}); restore it, or take "
            "the key away and train again"
        ) from None
    return read(path.name, source, config.log.timezone)


def read(name: str, source: bytes, timezone: str) -> FeatureSet:
    """The features of a module; raises ConfigError that says what is wrong with it and where."""
    namespace = _run(name, source)
    declared = namespace.get("FEATURES", [])
    if not isinstance(declared, (list, tuple)):
        raise ConfigError(f"{name}: expected a list FEATURES = [Feature(…)], found {declared!r}")
    for number, feature in enumerate(declared, start=1):
        if not isinstance(feature, Feature):
            raise ConfigError(f"{name}: expected Feature(…) as number {number} of FEATURES, found {feature!r}")
    functions = list({id(value): value for value in namespace.values() if isinstance(value, Function)}.values())
    if not declared and not functions:
        raise ConfigError(
            f"{name}: expected FEATURES = [Feature(…)] or functions under @feature(unit=…, text=…), found neither"
        )
    computes = {function.custom.function: function.compute for function in functions}
    module = UserModule(hashlib.sha256(source).hexdigest(), name, source, computes)
    try:
        return FeatureSet((*declared, *(function.custom for function in functions)), timezone, module)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None


def _run(name: str, source: bytes) -> dict[str, Any]:
    """The module's names and values once it has run."""
    module = ModuleType(f"features_{hashlib.sha256(source).hexdigest()[:16]}")
    sys.modules[module.__name__] = module  # while it runs, for dataclasses look their module up
    try:
        tree = ast.parse(source, name)
        _refuse_twice(tree)
        exec(compile(tree, name, "exec", dont_inherit=True), module.__dict__)  # noqa: S102  the user's own code
    except SyntaxError as error:
        raise ConfigError(f"{name} line {error.lineno}: {error.msg}") from None
    except ConfigError as error:
        raise ConfigError(raised(error, name).replace("ConfigError: ", "")) from None
    except (Exception, SystemExit) as error:
        raise ConfigError(f"expected a module that can be imported, but {raised(error, name)}") from error
    finally:
        del sys.modules[module.__name__]
    return vars(module)


def _refuse_twice(tree: ast.Module) -> None:
    """The second of two functions of one name would silently take the place of the first."""
    functions = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    for function, count in Counter(node.name for node in functions).items():
        if count > 1:
            lines = " and ".join(str(node.lineno) for node in functions if node.name == function)
            raise ConfigError(f"expected one function of a name, found '{function}' in lines {lines}; rename one")
