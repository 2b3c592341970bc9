"""Work spread over a few threads, results in order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(work: Callable[[Item], Result], items: Iterable[Item], *, threads: int) -> Generator[Result]:
    """`work(item)` of every item, in order. No more than `threads + 1` items are taken before their turn, so that few
    are in memory; `work` has to be of the kind that frees the interpreter. Closed early, it begins nothing more.

    >>> list(ordered_map(str.upper, ["a", "b", "c"], threads=2))
    ['A', 'B', 'C']
    """
    with ThreadPoolExecutor(threads) as pool:
        running: deque[Future[Result]] = deque()
        try:
            for item in items:
                running.append(pool.submit(work, item))
                if len(running) > threads:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()
