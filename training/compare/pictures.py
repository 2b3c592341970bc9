"""The plots of runs, small enough to go into a page whole."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

COLOURS = 64  # enough for lines, bars and the soft edges of letters
WIDTHS = (1400, 900, 600)  # pixels; the next one when a page would grow too heavy
HEAVIEST = 1_900_000  # bytes of all pictures together, a third less than they take inside a page
CAPTIONS = {
    "ranking": "How well it ranks: left, those found against false alarms; right, how many of those named are right.",
    "gains": "Who to call first: the share of all outcomes, or money, that the best-scored customers hold.",
    "reliability": "Whether a predicted rate comes true: dots on the diagonal are right.",
    "distribution": "How the scores of those it happened to and of the others spread.",
    "deciles": "Money by tenth of the base: predicted beside actual.",
    "coverage": "How many outcomes fall inside their 90 % interval.",
    "actions": "What each action brings over doing nothing, with its 90 % interval.",
    "values": "What a decision brings under each policy, with its 90 % interval.",
    "stability": "How the quality holds from cutoff to cutoff.",
    "learning": "What more data brings: the quality on later rows as the training rows grow.",
    "importance": "What the trees look at, by their gain.",
    "shap": "What moves the scores, and in which direction.",
    "search": "How the search went, trial by trial.",
    "search-importances": "Which hyper-parameters mattered in the search.",
}


@dataclass(frozen=True)
class Picture:
    """The same plot of each side, as data URIs; None where a side has none."""

    name: str
    caption: str
    images: tuple[str | None, ...]


def pictures(sides: Sequence[Mapping[str, bytes]]) -> tuple[Picture, ...]:
    """Every plot that any side has, by name, in the order in which they tell."""
    names = sorted({name for side in sides for name in side}, key=_order)
    small = _lightened(sides)
    return tuple(
        Picture(name.removesuffix(".png"), _caption(name), tuple(_uri(side.get(name)) for side in small))
        for name in names
    )


def _lightened(sides: Sequence[Mapping[str, bytes]]) -> list[dict[str, bytes]]:
    """The pictures with few colours, and so narrow that they stay light together; what is no picture is left out."""
    lightened: list[dict[str, bytes]] = []
    for width in WIDTHS:
        lightened = [{name: light for name, data in side.items() if (light := _light(data, width))} for side in sides]
        if sum(len(data) for side in lightened for data in side.values()) <= HEAVIEST:
            break
    return lightened


def _light(data: bytes, width: int) -> bytes | None:
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as opened:
            image = opened.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):  # what Pillow raises for a broken file
        return None
    if image.width > width:
        image = image.resize((width, max(1, round(image.height * width / image.width))), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


def _uri(data: bytes | None) -> str | None:
    return None if data is None else f"data:image/png;base64,{base64.b64encode(data).decode()}"


def _parts(name: str) -> tuple[int, str]:
    """Of `30d/importance-buys.png` the horizon and what is drawn."""
    folder, _, file = name.removesuffix(".png").rpartition("/")
    days = folder.removesuffix("d")
    return int(days) if days.isdecimal() else 0, file


def _order(name: str) -> tuple[int, int, str]:
    days, what = _parts(name)
    known, first = list(CAPTIONS), what.partition("-")[0]
    return days, known.index(first) if first in known else len(known), what


def _caption(name: str) -> str:
    _, what = _parts(name)
    return CAPTIONS.get(what.partition("-")[0], "")
