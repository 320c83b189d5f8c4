"""The same work on many things, on all cores."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from os import process_cpu_count


def each[R](
    work: Callable[..., R], tasks: Sequence[tuple[object, ...]], workers: int | None = None
) -> list[R]:
    """`work(*task)` of each of `tasks`, in their order; on all cores, or as many as `workers`."""
    workers = workers or process_cpu_count() or 1
    if workers == 1:
        return [work(*task) for task in tasks]
    # Fresh processes: a fork of one that has threads can hang.
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        return list(pool.map(work, *zip(*tasks, strict=True)))
