"""A comparison as one HTML file that needs nothing else: no script, no outside address, pictures and style inside.

Jinja escapes whatever comes from runs, ledger and configuration. A model card is Markdown without HTML, links and
pictures.
"""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markdown_it import MarkdownIt

from features.system.files import write_text
from training.compare.comparison import Comparison
from training.compare.figures import Row, shown
from training.compare.interval_strip import LANE, WIDTH, height, strip
from training.compare.parameters import facts
from training.compare.pictures import pictures
from training.compare.sides import at

HERE = Path(__file__).parent
OUTSIDE = ["image", "link", "autolink", "reference", "html_inline", "html_block"]  # what could reach or run something


def write_page(comparison: Comparison, path: Path) -> None:
    """The page, whole or not at all."""
    write_text(path, page(comparison))


def page(comparison: Comparison) -> str:
    """The page as HTML."""
    return _template().render(
        found=comparison,
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        main=_grouped([row for row in comparison.rows if row.main]),
        others=_grouped([row for row in comparison.rows if not row.main]),
        pictures=pictures([side.pictures for side in comparison.sides]),
        facts=facts(comparison.sides),
        cards=[None if side.card is None else card(side.card) for side in comparison.sides],
        strip_size=(WIDTH, height(comparison.sides), LANE),
    )


def card(markdown: str) -> str:
    r"""A model card as HTML. Tags, links and pictures in it stay the characters they are.

    >>> card("# Hi <b>there</b>")
    '<h1>Hi &lt;b&gt;there&lt;/b&gt;</h1>\n'
    """
    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable(OUTSIDE)
    return str(reader.render(markdown))


@cache
def _template() -> Template:
    inside = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    inside.filters |= {"shown": shown, "at": at, "gate_value": _gate_value}
    inside.globals |= {"strip": strip}
    return inside.get_template("page.html")


def _grouped(rows: list[Row]) -> dict[int | None, list[Row]]:
    """Rows by horizon, in their order."""
    groups: dict[int | None, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.horizon_days, []).append(row)
    return groups


def _gate_value(value: object) -> str:
    """A figure of the gate: numbers short, an interval as such, all else as it is."""
    if isinstance(value, list) and value and all(isinstance(number, (int, float)) for number in value):
        first, *ends = map(_gate_value, value)
        return first if not ends else f"{first} to {ends[0]}" if len(ends) == 1 else f"{first} ({', '.join(ends)})"
    if value is None or isinstance(value, float):
        return shown(value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
