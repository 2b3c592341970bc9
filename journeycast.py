"""The command line: one function per verb, no logic.

A verb imports its part of the project when it runs: importing MLflow or BentoML takes seconds that `--help` should not
cost.
"""

import errno
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

from features.system import environment

environment.apply()  # before NumPy comes in, which reads them while it is imported

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from features.config.load import load
from features.config.sections import Config
from features.errors import JourneycastError

if TYPE_CHECKING:
    from models.actor import Actor

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
console = Console()
error_console = Console(stderr=True)

NEXT_STEPS = """
Where to look next
  scores      {workspace}/scores.parquet
  trainings   mlflow ui --backend-store-uri sqlite:///{workspace}/mlflow.db
  over HTTP   journeycast -c {config} serve
"""
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)  # permissions, which only the user can change
DEMO_TRIALS = 5  # a third of the default: a first look, not the best model
Tasks = Annotated[
    list[str] | None, typer.Argument(help="tasks of the TOML; all when none is named", show_default=False)
]
AsOf = Annotated[str | None, typer.Option("--as-of", help="as if this date or time were now", show_default=False)]


@app.callback()
def choose(
    context: typer.Context,
    config: Annotated[Path, typer.Option("--config", "-c", help="the TOML of the shop")] = Path("journeycast.toml"),
) -> None:
    """Churn risk, purchase propensity, lifetime value and next best action from a shop's event log."""
    context.obj = config


@app.command()
def demo(out: Annotated[Path, typer.Option(help="folder of the simulated shop")] = Path("demo")) -> None:
    """Simulate a shop, ingest its log, train every task, score everybody, and show where to look."""
    simulate(out=out)
    config = out / "journeycast.toml"
    shop = load(config)
    _ingest(shop, None)
    _train(shop, None, None, DEMO_TRIALS, promote=True, text=config.read_text(encoding="utf-8"))
    _score(shop, None, None, None)
    _print_lines(NEXT_STEPS.format(config=config, workspace=shop.workspace_path))


@app.command()
def simulate(
    customers: Annotated[int, typer.Option(help="how many customers", min=1)] = 3000,
    seed: Annotated[int, typer.Option(help="equal seeds give equal bytes", min=0)] = 7,
    out: Annotated[Path, typer.Option(help="where to write the log, the profiles and the truth")] = Path("shop"),
) -> None:
    """Write the log of a shop with known truth, and a TOML for it."""
    from features.simulate.write import Shop, simulate

    shop = simulate(Shop(customers=customers, seed=seed), out)
    _print_lines(f"Simulated {shop.customer_count:,} customers with {shop.event_count:,} events in {out}.")


@app.command()
def init(
    context: typer.Context,
    log: Annotated[list[Path], typer.Argument(help="files of the log, and of customers' attributes")],
) -> None:
    """Read a log and write a commented TOML for it: guessed columns, events, horizons."""
    from features.init.draft import init

    _print_lines(*init(log, context.obj))


@app.command()
def ingest(
    context: typer.Context,
    log: Annotated[
        list[Path] | None, typer.Argument(help="files; those of the TOML when none is named", show_default=False)
    ] = None,
) -> None:
    """Check the log, quarantine bad rows, and sort the good ones into the store."""
    _ingest(load(context.obj), log)


@app.command()
def features(context: typer.Context, as_of: AsOf = None) -> None:
    """Print the features that training uses: each with its unit, its meaning and why it is there."""
    from features.store.reader import Store
    from training.report import features
    from training.run import prepare

    shop = load(context.obj)
    with console.status("reading the log"):
        store = Store.open(shop.workspace_path, shop)
        training_context, _ = prepare(shop, store, as_of=as_of, trials=0, progress=lambda _: None)
    console.print(features(training_context))


@app.command()
def readiness(context: typer.Context, task: Tasks = None, as_of: AsOf = None) -> None:
    """Print for each task what the log holds, what better models need and when, and what to expect now."""
    from features.store.reader import Store
    from training.readiness.readiness import page, readiness

    shop = load(context.obj)
    with console.status("counting what the log holds"):
        reports = readiness(shop, Store.open(shop.workspace_path, shop), task, as_of=as_of)
    console.print(page(reports))


@app.command()
def train(
    context: typer.Context,
    task: Tasks = None,
    as_of: AsOf = None,
    trials: Annotated[int | None, typer.Option(help="Optuna trials for each model", min=0, show_default=False)] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="search this many minutes instead; such a search is not reproducible", min=0, show_default=False
        ),
    ] = None,
    promote: Annotated[bool, typer.Option(help="promote a challenger that passes the gate")] = True,
) -> None:
    """Fit, tune, evaluate, track and register a model for each task; promote it if it passes the gate."""
    text = context.obj.read_text(encoding="utf-8") if context.obj.is_file() else ""
    _train(load(context.obj), task, as_of, trials, minutes=minutes, promote=promote, text=text)


@app.command()
def compare(
    context: typer.Context,
    task: Annotated[str, typer.Argument(help="a task of the TOML")],
    out: Annotated[
        Path | None, typer.Option(help="HTML file; default: compare/TASK.html in the workspace", show_default=False)
    ] = None,
) -> None:
    """Show champion, challenger and their baselines side by side, here and as one page with the pictures."""
    from models.promotion import Promotion
    from training.compare.comparison import compare
    from training.compare.page import write_page
    from training.compare.table import sources, table

    shop = load(context.obj)
    name = shop.task(task).name
    page = out or shop.workspace_path / "compare" / f"{name}.html"
    with console.status("comparing"):
        comparison = compare(Promotion.open(shop, [name]), name)
        write_page(comparison, page)
    console.print(table(comparison))
    _print_lines(*sources(comparison, page))


@app.command()
def promote(
    context: typer.Context,
    task: Annotated[str, typer.Argument(help="a task of the TOML")],
    version: Annotated[int | None, typer.Option(help="default: the challenger", min=1, show_default=False)] = None,
    why: Annotated[str | None, typer.Option(help="the reason, for the ledger", show_default=False)] = None,
) -> None:
    """Let a version of a task serve from now on; the ledger keeps who did it, when and why."""
    from training.lifecycle.versions import promote

    _print_lines(promote(load(context.obj), task, version, _actor(), why))


@app.command()
def rollback(
    context: typer.Context,
    task: Annotated[str, typer.Argument(help="a task of the TOML")],
    version: Annotated[
        int | None,
        typer.Option(help="only if this version serves, so that a script can run it twice", min=1, show_default=False),
    ] = None,
    why: Annotated[str | None, typer.Option(help="the reason, for the ledger", show_default=False)] = None,
) -> None:
    """Let the champion before this one serve again, at once, without training and without the gate."""
    from training.lifecycle.versions import rollback

    _print_lines(rollback(load(context.obj), task, version, _actor(), why))


@app.command()
def history(
    context: typer.Context,
    task: Annotated[str, typer.Argument(help="a task of the TOML")],
    on: Annotated[str | None, typer.Option(help="only what was live at this date or time", show_default=False)] = None,
) -> None:
    """Print what became of each version of a task: who did it, when, why, and on what evidence."""
    from training.lifecycle.versions import history

    console.print(history(load(context.obj), task, on))


@app.command("tune-worker")
def tune_worker(
    context: typer.Context,
    task: Annotated[str, typer.Argument(help="a task of the TOML")],
    as_of: AsOf = None,
    trials: Annotated[int | None, typer.Option(help="the same as for `train`", min=0, show_default=False)] = None,
    minutes: Annotated[float | None, typer.Option(help="the same as for `train`", min=0, show_default=False)] = None,
) -> None:
    """Join the search of a task's tree parameters from this host or another; give the same options as to `train`."""
    from features.store.reader import Store
    from training.worker import work

    shop = load(context.obj)
    with console.status("searching") as status:
        store = Store.open(shop.workspace_path, shop)
        show_step = lambda step: status.update(f"searching: {step}")  # noqa: E731
        results = work(shop, store, task, as_of=as_of, trials=trials, minutes=minutes, progress=show_step)
    _print_lines(*(result.summary() for result in results))


@app.command()
def prune(
    context: typer.Context,
    days: Annotated[int, typer.Option(help="remove only what is older than this many days", min=1)] = 180,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print what would be removed, and change nothing")] = False,
) -> None:
    """Remove what is old and no longer needed; never a version that served, a challenger, or the newest training.

    Removed are trainings that failed or were killed, versions that never served, with their runs and bundles, studies
    that were abandoned, and files that belong to nothing. Bundles that ever served stay, so that their scores can be
    replayed, and so does every entry of the ledger.
    """
    from training.lifecycle.prune import prune, shown, total

    actor, removed = _actor(), "would remove" if dry_run else "removed"
    with console.status("looking for what can be removed"):
        removals = prune(
            load(context.obj),
            days=days,
            hand=actor,
            dry_run=dry_run,
            tell=lambda removal: _print_lines(f"{removed} {shown(removal)}"),
        )
    _print_lines(total(removals, removed))


@app.command()
def score(
    context: typer.Context,
    task: Tasks = None,
    as_of: AsOf = None,
    out: Annotated[
        Path | None, typer.Option(help="Parquet file; default: scores.parquet in the workspace", show_default=False)
    ] = None,
    model_from_the_future: Annotated[bool, typer.Option(help="allow a model that was trained after --as-of")] = False,
) -> None:
    """Score the whole customer base into one Parquet file."""
    _score(load(context.obj), task, as_of, out, from_the_future=model_from_the_future)


@app.command()
def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="address; default: [serve] host", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(help="port; default: [serve] port", show_default=False)] = None,
) -> None:
    """Answer score requests over HTTP until interrupted."""
    from serving.service.bento import serve

    shop = load(context.obj)
    serve(context.obj, host or shop.serve.host, port or shop.serve.port)


def _ingest(shop: Config, files: list[Path] | None) -> None:
    from features.ingest.report import render
    from features.ingest.run import ingest

    with _progress_bar() as progress:
        bar = progress.add_task("reading", total=None)
        show_step = lambda step, done, total: progress.update(bar, description=step, completed=done, total=total)  # noqa: E731
        report = ingest(shop, files=files, clock=_now, progress=show_step)
    _print_lines(render(report))


def _train(
    shop: Config,
    task: list[str] | None,
    as_of: str | None,
    trials: int | None,
    *,
    minutes: float | None = None,
    promote: bool,
    text: str,
) -> None:
    from features.store.reader import Store
    from training.report import sentences, table
    from training.run import train

    with console.status("training") as status:
        store = Store.open(shop.workspace_path, shop)
        show_step = lambda step: status.update(f"training: {step}")  # noqa: E731
        outcomes = train(
            shop,
            store,
            task,
            as_of=as_of,
            trials=trials,
            minutes=minutes,
            promote=promote,
            who=_actor().who,
            clock=_now,
            toml=text,
            progress=show_step,
        )
    console.print(table(outcomes))
    _print_lines("", *sentences(outcomes))


def _score(
    shop: Config, task: list[str] | None, as_of: str | None, out: Path | None, *, from_the_future: bool = False
) -> None:
    from serving.batch import score_base

    with _progress_bar() as progress:
        bar = progress.add_task("scoring", total=None)
        show_done = lambda done, total: progress.update(bar, completed=done, total=total)  # noqa: E731
        written = score_base(shop, task, as_of, out, show_done, model_from_the_future=from_the_future)
    _print_lines(f"Wrote {written.rows:,} scores of {written.customers:,} customers to {written.path}.")


def _print_lines(*lines: str) -> None:
    """Lines for a person, as they are: no markup, no wrapping in the middle of a path."""
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _actor() -> "Actor":
    """The person who runs the verb, and when."""
    from models.actor import Actor, who

    return Actor(who(os.environ), _now())


def _now() -> int:
    """The wall clock, µs UTC: the one place where it is read."""
    return time.time_ns() // 1000


def _progress_bar() -> Progress:
    return Progress(console=console, transient=True)


def main() -> None:
    """Run one verb; a failure that the project knows is one message on stderr and its own exit code."""
    try:
        app()
    except JourneycastError as error:
        _fail(str(error), error.exit_code)
    except OSError as error:
        if error.errno not in FORBIDDEN or error.filename is None:
            raise
        _fail(
            f"expected permission to use {error.filename}, got: {error.strerror}; "
            "change its permissions or choose another path",
            1,
        )


def _fail(message: str, exit_code: int) -> NoReturn:
    error_console.print(f"[bold red]journeycast:[/] {escape(message)}", highlight=False, soft_wrap=True)
    raise SystemExit(exit_code) from None


if __name__ == "__main__":
    main()
