"""One rule for all doors of what an id is, and of words that say that there is nothing.

`features.log.cells` and `features.log.cells_sql` read by it, so files of every format, requests and data frames agree:

- An id of a customer, an order or an event that is written as a whole float is the whole number: `12001.0` is `12001`,
  as the same column gives it where it holds numbers. `00123`, `00123.0` and `1000043.1700000043` stay as they are.
- A word that programs write for nothing is null. `NA` is null among numbers and times alone: elsewhere it is Namibia.
  `None` is a level among categories: a campaign's `None` is doing nothing.
- `[log] fold_ids` takes outer spaces and the case of letters from the ids of customers.
"""

import re

NULL_WORDS = (
    *("nan", "NaN", "NAN", "-nan", "-NaN", "NaT", "null", "NULL", "(null)", "None", "<NA>", "<null>", "\\N"),
    *("N/A", "n/a", "#N/A", "undefined"),
)
NULL_LEVELS = tuple(word for word in NULL_WORDS if word != "None")  # of categories
NULL_NUMBERS = (*NULL_WORDS, "NA")  # of numbers and times

BLANKS = " \u00a0\u2000-\u200b\u202f\u3000\ufeff"  # spaces of every width, as a class of a pattern
BLANK = re.compile(f"[{BLANKS}]*")
_OUTER = re.compile(rf"\A[\s{BLANKS}]+|[\s{BLANKS}]+\Z")
_WHOLE_FLOAT = re.compile(r"(?:-?(0)|(-?[1-9][0-9]*))\.0+", re.ASCII)
SQL_WHOLE_FLOAT = rf"\A{_WHOLE_FLOAT.pattern}\z"  # replaced by its two groups
SQL_WHOLE = r"\1\2"


def whole(text: str) -> str:
    """The id, without the fraction of a whole float.

    >>> whole("12001.0"), whole("-0.00"), whole("00123.0"), whole("1.50")
    ('12001', '0', '00123.0', '1.50')
    """
    match = _WHOLE_FLOAT.fullmatch(text)
    return (match[1] or match[2]) if match else text


def fold(text: str) -> str:
    r"""The id without outer spaces, in lower case.

    >>> fold(" Anna@Shop.Example\u00a0")
    'anna@shop.example'
    """
    return _OUTER.sub("", text).lower()
