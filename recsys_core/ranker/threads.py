"""Work on several batches at once on a CPU, each batch with one thread from its beginning to its end.

Threads inside of single operations would have to meet after each of them, which costs small batches more
than it gives them.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Task = TypeVar("Task")
Result = TypeVar("Result")


def map_in_threads(work: Callable[[Task], Result], tasks: Sequence[Task]) -> list[Result]:
    """The result of each task, in their order; a single one keeps all threads of this process to itself."""
    n_threads = torch.get_num_threads()
    if min(n_threads, len(tasks)) < 2:
        return [work(task) for task in tasks]
    try:
        with ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work, tasks))
    finally:
        torch.set_num_threads(n_threads)
