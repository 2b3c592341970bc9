"""The grade of an answer: how sure one may be that it beats the named baseline on rows it has not seen.

The skill is `1 - loss / loss of the baseline` on the test rows, with a 90 % interval over customers; its lower end is
judged.

| grade | lower end of the skill's interval |
|---|---|
| A | at least 0.10 |
| B | at least 0.03 |
| C | above 0, or extrapolated from a shorter horizon, or a rule that beats the base rate |
| D | anything else, and whenever there were fewer than 100 test customers or 10 of the rarer outcome |
"""

EDGES = (("A", 0.10), ("B", 0.03), ("C", 0.0))
FEWEST_CUSTOMERS = 100
FEWEST_OF_RARER = 10


def grade(skill_low: float | None, *, customers: int, rarer: int, at_most: str = "A") -> str:
    """A, B, C or D; `at_most` caps it.

    >>> grade(0.2, customers=500, rarer=90), grade(0.2, customers=500, rarer=90, at_most="C")
    ('A', 'C')
    """
    if skill_low is None or customers < FEWEST_CUSTOMERS or rarer < FEWEST_OF_RARER:
        return "D"
    reached = next((name for name, edge in EDGES if skill_low >= edge and skill_low > 0), "D")
    return max(reached, at_most)
