"""Independent pieces of work, each in one thread from beginning to end."""

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

import torch

Piece = TypeVar("Piece")
Result = TypeVar("Result")

MAX_THREADS = 16


class Spread(Protocol):
    """Maps a function over pieces; results come in the order of the pieces."""

    def __call__(
        self, function: Callable[[Piece], Result], pieces: Iterable[Piece], /
    ) -> Iterator[Result]: ...


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
