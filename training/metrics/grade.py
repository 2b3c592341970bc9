"""The grade of an answer: how sure one may be that it beats the named baseline on rows it has not seen.

The skill is `1 - loss / loss of the baseline` on the test rows, with a 90 % interval over customers; its lower end is
judged. Cut-offs and baselines are in `models.grades`, and for a person in docs/trust.md.
"""

from models.grades import EDGES, MIN_CUSTOMERS, MIN_MINORITY


def grade(skill_low: float | None, *, customers: int, minority: int, at_most: str = "A") -> str:
    """A, B, C or D; `at_most` caps it.

    >>> grade(0.2, customers=500, minority=90), grade(0.2, customers=500, minority=90, at_most="C")
    ('A', 'C')
    """
    if skill_low is None or customers < MIN_CUSTOMERS or minority < MIN_MINORITY:
        return "D"
    reached = next((name for name, edge in EDGES if skill_low >= edge and skill_low > 0), "D")
    return max(reached, at_most)
