"""The house stays as it was drawn: import order, doors, no clock, no pickle, one time comparison.

Each rule reads the syntax tree of one module and yields a sentence for each break of it.
"""

import ast
import graphlib
import itertools
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from features.config.task_kinds.registry import TASK_KINDS

ROOT = Path(__file__).parents[1]

# A room imports only from those before it. `training` and `serving` never import each other.
ORDER = {
    "features": "errors arrays timeline system timezones global_counts journeys language windows custom config log "
    "store ingest sets kernel panel spark simulate init",
    "models": "tasks grades score_record prediction btyd ladder predictor bundle databases ledger registry "
    "actor promotion",
    "training": "dataset metrics audit fit tuning selection context evaluation request horizon gate tracking resume "
    "run worker report compare readiness lifecycle",
    "serving": "contract scoring score batch frames service",
}
MAY_IMPORT = {
    "features": {"features"},
    "models": {"features", "models"},
    "training": {"features", "models", "training"},
    "serving": {"features", "models", "serving"},
    "journeycast": {"features", "models", "training", "serving"},
    "experiments": {"features", "models", "training", "serving", "experiments"},
    "benchmarks": {"features", "models", "training", "serving", "experiments", "benchmarks"},
}
PROGRAMS = ("experiments", "benchmarks")  # they measure the product: any library, any clock
DOORS = {
    "bentoml": "serving.service",
    "duckdb": "features.system.duck",
    "lightgbm": "models.ladder.lightgbm",
    "matplotlib": "training.tracking.plots",
    "mlflow": "models.registry",
    "numba": "features.kernel.compile",
    "optuna": "training.tuning",
    "pyspark": "features.spark",
    "sqlalchemy": "models.databases",
}
CODE_IN_DATA = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
CLOCK = "journeycast"  # the command line injects the time
COMPARES_TIMES = "features.timeline"
ORDERINGS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
MOST_FILES, MOST_TEST_FILES, MOST_LINES = 12, 25, 300
HANDS_ON = {  # addresses that what users hold relies on; the MLflow door sets its switches first
    "features.config",
    "models.registry",
    "serving.service",
}
VAGUE_NAMES = {"base", "common", "helper", "helpers", "manager", "util", "utils"}
ONE_MACHINE = re.compile(r"(?<![\w.~-])/(?:work|opt|root|home)/")  # absolute, not a part of a longer path or address


@dataclass(frozen=True)
class Module:
    """One parsed file under its dotted name."""

    name: str
    tree: ast.Module
    lines: int = 1
    is_package: bool = False

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]


Rule = Callable[[Module], Iterator[str]]


@cache
def modules() -> tuple[Module, ...]:
    product = sorted(set(MAY_IMPORT) - set(PROGRAMS))
    return _read([ROOT / "journeycast.py", *_files(product)])


@cache
def programs() -> tuple[Module, ...]:
    return _read(_files(PROGRAMS))


def _files(packages: Sequence[str]) -> list[Path]:
    return [file for package in packages for file in (ROOT / package).rglob("*.py")]


def _read(files: Sequence[Path]) -> tuple[Module, ...]:
    return tuple(
        Module(
            ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"),
            ast.parse(file.read_bytes(), filename=str(file)),
            len(file.read_text(encoding="utf-8").splitlines()),
            file.name == "__init__.py",
        )
        for file in files
        if file.exists()
    )


def imports(module: Module) -> list[str]:
    """Dotted names of what is imported, anywhere in the file: `from features import kernel` gives `features.kernel`."""
    return sorted(set(_imports(module)))


def _imports(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            yield from (f"{base}.{alias.name}" if base in MAY_IMPORT else base for alias in node.names)


def import_order(module: Module) -> Iterator[str]:
    for name in imports(module):
        package = name.partition(".")[0]
        if package not in MAY_IMPORT:
            continue
        if package not in MAY_IMPORT[module.package]:
            yield f"{module.name} imports {name}: {module.package} may import {sorted(MAY_IMPORT[module.package])}"
        elif package == module.package and not _comes_before(name, module.name):
            yield f"{module.name} imports {name}, which does not come before it in ORDER"


def _comes_before(name: str, other: str) -> bool:
    """Within one package. Inside a folder, and where no order is given, any may import any, though not in a circle."""
    package, first, second = name.split(".", maxsplit=1)[0], *(".".join(full.split(".")[1:2]) for full in (name, other))
    order = ORDER.get(package, "").split()
    return not order or first == second or first in itertools.takewhile(lambda place: place != second, order)


def doors(module: Module) -> Iterator[str]:
    for name in imports(module):
        library = name.partition(".")[0]
        door = DOORS.get(library, "")
        if library in DOORS and not (door and f"{module.name}.".startswith(f"{door}.")):
            yield f"{module.name} imports {library}, whose one door is {DOORS[library]}"


def no_code_in_data(module: Module) -> Iterator[str]:
    for name in imports(module):
        if name.partition(".")[0] in CODE_IN_DATA:
            yield f"{module.name} imports {name}, which runs what it reads"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
            yield f"{module.name}:{node.value.lineno} allows pickle"


def no_clock(module: Module) -> Iterator[str]:
    if module.name == CLOCK:
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and (
            node.attr in {"now", "today", "utcnow"}
            or (node.attr in {"time", "time_ns"} and ast.unparse(node.value) == "time")
        ):
            yield f"{module.name}:{node.lineno} reads the clock by {ast.unparse(node)}: take the time as an argument"
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            for alias in node.names:
                if alias.name in {"time", "time_ns"}:
                    yield f"{module.name}:{node.lineno} imports the clock: take the time as an argument"


def one_time_comparison(module: Module) -> Iterator[str]:
    if module.name == COMPARES_TIMES:
        return
    for node in ast.walk(module.tree):
        operands = _compared(node)
        if any(_speaks_of(operand, {"cutoff", "cutoffs"}) for operand in operands) and any(
            _speaks_of(operand, {"time", "times", "known"}) for operand in operands
        ):
            yield f"{module.name}:{node.lineno} compares times with cutoffs: that is {COMPARES_TIMES}'s"  # type: ignore[attr-defined]


def no_order_of_times(module: Module) -> Iterator[str]:
    """Below `features`, where the store is sorted and walked, nobody holds a time against any instant by hand."""
    if module.package == "features":
        return
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Compare) or not any(isinstance(one, ORDERINGS) for one in node.ops):
            continue
        if any(_speaks_of(operand, {"time", "times"}) for operand in _compared(node)):
            yield f"{module.name}:{node.lineno} compares times: that is {COMPARES_TIMES}'s"


def short_files(module: Module) -> Iterator[str]:
    if module.name != CLOCK and module.lines > MOST_LINES:
        yield f"{module.name} has {module.lines} lines: at most {MOST_LINES}"


def packages_hand_no_names_on(module: Module) -> Iterator[str]:
    if module.is_package and module.name not in HANDS_ON and len(module.tree.body) != 1:
        yield f"{module.name}/__init__.py holds more than its docstring"


def _compared(node: ast.AST) -> list[ast.expr]:
    """What a node holds against each other: the sides of a comparison, or the array and needle of a binary search."""
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "searchsorted":
        return [node.func, *node.args]
    return []


def _speaks_of(operand: ast.AST, words: set[str]) -> bool:
    """Whether a name in the operand has one of the words in it; lengths and shapes say nothing of times."""
    if isinstance(operand, ast.Call) and ast.unparse(operand.func) == "len":
        return False
    if isinstance(operand, ast.Attribute):
        if operand.attr in {"dtype", "ndim", "shape", "size"}:
            return False
        if words & set(operand.attr.split("_")):
            return True
    if isinstance(operand, ast.Name):
        return bool(words & set(operand.id.split("_")))
    return any(_speaks_of(child, words) for child in ast.iter_child_nodes(operand))


def kinds_at_home(module: Module) -> Iterator[str]:
    """What kind a task is decides nothing outside of the kind's own file: callers read a field of its `TaskKind`."""
    if module.name.startswith("features.config.task_kinds"):
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Compare | ast.MatchValue):
            strings = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
            if any(string in TASK_KINDS for string in strings):
                yield f"{module.name}:{node.lineno} asks for a kind of task by its name"


RULES: list[Rule] = [
    import_order,
    doors,
    no_code_in_data,
    no_clock,
    one_time_comparison,
    no_order_of_times,
    short_files,
    packages_hand_no_names_on,
    kinds_at_home,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_module_keeps_the_rule(rule: Rule) -> None:
    assert [broken for module in modules() for broken in rule(module)] == []


@pytest.mark.parametrize("rule", [import_order, short_files, packages_hand_no_names_on], ids=lambda rule: rule.__name__)
def test_every_program_keeps_the_rule(rule: Rule) -> None:
    assert programs()
    assert [broken for module in programs() for broken in rule(module)] == []


@pytest.mark.parametrize("package", ORDER)
def test_every_module_has_its_place_in_the_order(package: str) -> None:
    found = {module.name.partition(".")[2].partition(".")[0] for module in modules() if module.package == package}
    assert found - {""} - set(ORDER[package].split()) == set()


def test_nothing_imports_in_a_circle() -> None:
    graphlib.TopologicalSorter({module.name: set(imports(module)) for module in modules() + programs()}).prepare()


def crowded(folder: Path, most: int) -> list[str]:
    """Folders below one that hold more than `most` modules."""
    counts = Counter(file.parent for file in folder.rglob("*.py") if file.name != "__init__.py")
    return [f"{place.relative_to(folder)} holds {count}" for place, count in sorted(counts.items()) if count > most]


def test_no_folder_is_crowded() -> None:
    assert [broken for package in (*ORDER, *PROGRAMS) for broken in crowded(ROOT / package, MOST_FILES)] == []
    assert crowded(ROOT / "tests", MOST_TEST_FILES) == []


def test_a_crowded_folder_is_seen(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"m{number}.py").touch()
    assert crowded(tmp_path, 3) == []
    assert crowded(tmp_path, 2) == [". holds 3"]


def shared_names(of: Sequence[Module]) -> list[str]:
    """Public classes of one name in several modules."""
    homes: dict[str, list[str]] = {}
    for module in of:
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(module.name)
    return [f"{name}: {', '.join(places)}" for name, places in sorted(homes.items()) if len(places) > 1]


def test_no_two_classes_bear_one_name() -> None:
    assert shared_names(modules()) == []


def test_two_classes_of_one_name_are_seen() -> None:
    tree = ast.parse("class Row:\n    pass\nclass _Own:\n    pass")
    assert shared_names([Module("features.one", tree), Module("training.other", tree)]) == [
        "Row: features.one, training.other"
    ]


def constants_of_two_values(of: Sequence[Module]) -> list[str]:
    """Constants that have one name and two values inside a package, such as `training.audit`."""
    values: dict[tuple[str, str], dict[str, str]] = {}
    for module in of:
        parts = module.name.split(".")
        package = ".".join(parts[:2] if len(parts) > 2 else parts[:1])
        for name, value in _constants(module.tree):
            values.setdefault((package, name), {}).setdefault(value, module.name)
    return [
        f"{name} in {package}: " + ", ".join(f"{value} in {place}" for value, place in places.items())
        for (package, name), places in sorted(values.items())
        if len(places) > 1
    ]


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Names in capitals that a module binds at its top, with the source of their values."""
    for node in tree.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            pairs: list[tuple[ast.expr, ast.expr | None]] = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = [*zip(target.elts, node.value.elts, strict=True)]
            for name, bound in pairs:
                if isinstance(name, ast.Name) and name.id.isupper() and bound is not None:
                    yield name.id, ast.unparse(bound)


def test_no_constant_has_one_name_and_two_values_inside_a_package() -> None:
    assert constants_of_two_values(modules()) == []


@pytest.mark.parametrize(
    ("first", "second", "breaks"),
    [
        ("LIMIT = 3", "LIMIT = 4", 1),
        ("LIMIT, FLOOR = 3, 1", "FLOOR: int = 2", 1),
        ("LIMIT, FLOOR = 3, 1", "FLOOR: int = 1", 0),
    ],
)
def test_a_constant_of_two_values_is_seen(first: str, second: str, breaks: int) -> None:
    inside = [Module("training.fit.level", ast.parse(first)), Module("training.fit.actions", ast.parse(second))]
    apart = [inside[0], Module("training.gate.actions", ast.parse(second))]
    assert len(constants_of_two_values(inside)) == breaks
    assert constants_of_two_values(apart) == []


def test_every_file_is_named_for_its_job() -> None:
    assert [module.name for module in modules() + programs() if VAGUE_NAMES & set(re.split(r"[._]", module.name))] == []


def test_no_tracked_file_knows_one_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    texts = {name: (ROOT / name).read_bytes() for name in listed.split("\0") if name and (ROOT / name).is_file()}
    assert [name for name, text in texts.items() if ONE_MACHINE.search(text.decode(errors="replace"))] == []


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-spark.lock"])
def test_the_lock_is_hashed_and_without_addresses(name: str) -> None:
    lock = (ROOT / name).read_text()
    assert re.findall(r"://|file:|--index-url|--find-links| @ ", lock) == []
    pins = lock.replace("\\\n", "").splitlines()
    assert [pin for pin in pins if "==" not in pin or "--hash=sha256:" not in pin] == []


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (import_order, "serving.score", "from training.dataset.labels import labels"),
        (import_order, "training.run", "import serving.score"),
        (import_order, "features.panel.build", "from models.tasks import Task"),
        (import_order, "features.system.files", "from features import journeys"),
        (import_order, "experiments.peers.run", "from benchmarks.feature_job import featuretools"),
        (import_order, "training.run", "from experiments.results import paired"),
        (import_order, "features.timeline", "def late():\n    from features.language.feature import Feature"),
        (import_order, "training.metrics.paired", "from training.gate import gate"),
        (import_order, "serving.contract.requests", "from serving.scoring.score_journeys import score_journeys"),
        (doors, "training.run", "import mlflow.tracking"),
        (doors, "features.panel.build", "from numba import njit"),
        (doors, "models.registry.versions", "import sqlalchemy"),
        (no_order_of_times, "training.audit.sample", "inside = part.time[rows] > start"),
        (packages_hand_no_names_on, "features.log", '"""Rows."""\nfrom features.log.cells import text'),
        (short_files, "features.log.cells", "one = 1\n" * 301),
        (kinds_at_home, "training.run", "learns = task.kind != 'next_action'"),
        (kinds_at_home, "training.run", "learns = task.kind in ('churn', 'propensity')"),
        (kinds_at_home, "training.run", "match task.kind:\n    case 'cltv':\n        pass"),
        (no_code_in_data, "models.bundle", "import pickle"),
        (no_code_in_data, "models.bundle", "from joblib import load"),
        (no_code_in_data, "models.bundle", "np.load(file, allow_pickle=True)"),
        (no_clock, "training.run", "started = datetime.now(UTC)"),
        (no_clock, "serving.score", "as_of = time.time()"),
        (no_clock, "serving.score", "from time import time"),
        (no_clock, "features.log.cells", "limit = pd.Timestamp.utcnow()"),
        (one_time_comparison, "features.kernel.rows", "seen = time[row] <= cutoff"),
        (one_time_comparison, "training.dataset.labels", "cutoff < journeys.time_us <= cutoff + horizon"),
        (one_time_comparison, "features.panel.build", "late = events.known > row.cutoff_us"),
        (one_time_comparison, "features.panel.build", "np.searchsorted(times, cutoffs, side='right')"),
    ],
)
def test_a_break_of_the_rule_is_seen(rule: Rule, name: str, source: str) -> None:
    assert len(list(rule(_module(name, source)))) == 1


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (
            import_order,
            "features.panel.build",
            "from features.kernel import walk\nfrom features.language.feature import Feature",
        ),
        (import_order, "journeycast", "from training.run import train\nfrom serving.score import score"),
        (import_order, "benchmarks.training", "from experiments.peers import flaml"),
        (doors, "models.ladder.lightgbm", "import lightgbm"),
        (no_code_in_data, "models.bundle", "np.load(file, allow_pickle=False)"),
        (no_clock, "journeycast", "datetime.now(UTC)"),
        (no_clock, "training.run", "time.perf_counter()"),
        (no_order_of_times, "training.audit.sample", "inside = between(part.time[rows], start, stop)"),
        (packages_hand_no_names_on, "features.log", '"""Rows."""'),
        (short_files, "features.log.cells", "one = 1\n" * 300),
        (kinds_at_home, "features.config.task_kinds.cltv", "money = task.kind == 'cltv'"),
        (kinds_at_home, "training.run", "learns = task.ranks_actions"),
        (one_time_comparison, "features.timeline", "time <= cutoff"),
        (one_time_comparison, "features.panel.build", "len(cutoffs) == len(times)"),
        (one_time_comparison, "features.config.sections", "timezone == row.cutoff"),
    ],
)
def test_what_keeps_the_rule_passes(rule: Rule, name: str, source: str) -> None:
    assert list(rule(_module(name, source))) == []


def _module(name: str, source: str) -> Module:
    """As it would be read, where a package of one level stands for its `__init__.py`."""
    return Module(name, ast.parse(source), len(source.splitlines()), is_package=name.count(".") == 1)
