"""Work on several batches at once on a CPU, each batch with one thread from its beginning to its end.

Threads inside of single operations would have to meet after each of them, which costs small batches more
than it gives them.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

import torch

Task = TypeVar("Task")
Result = TypeVar("Result")

MAX_THREADS = 16


class Spread(Protocol):
    """Maps a function over pieces; results come in the order of the pieces."""

    def __call__(self, function: Callable[[Task], Result], pieces: Iterable[Task], /) -> Iterator[Result]: ...


@contextmanager
def one_thread_a_piece(device: torch.device) -> Generator[Spread]:
    """A map that runs on as many threads as torch has, none of which uses further threads.

    Threads inside of operations meet thousands of times in a forward pass, and wait for each other each
    time; these meet once. On other devices than the CPU it is a plain map.
    """
    n_threads = torch.get_num_threads()
    if device.type != "cpu" or n_threads == 1:
        yield map
        return
    try:
        with ThreadPoolExecutor(
            min(MAX_THREADS, n_threads), initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(n_threads)


def map_in_threads(work: Callable[[Task], Result], tasks: Sequence[Task]) -> list[Result]:
    """The result of each task, in their order; a single one keeps all threads of this process to itself."""
    if len(tasks) < 2:
        return [work(task) for task in tasks]
    with one_thread_a_piece(torch.device("cpu")) as spread:
        return list(spread(work, tasks))
