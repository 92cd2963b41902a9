"""Everything that a page sends to the browser, taken apart: messages, tables, chart specs, downloads."""

import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from google.protobuf.message import Message
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.media_file_manager import MediaFileManager

NUMBER = re.compile(r"[-−]?\d+(?:\.\d+)?(?:e-?\d+)?")


@dataclass(slots=True)
class Payload:
    """What was sent, in the order in which it was.

    Attributes:
        messages: every message of the websocket, those that a later one replaced too.
        offered: file name and content of every download button, made as a click would.
    """

    messages: list[ForwardMsg] = field(default_factory=list)
    offered: list[tuple[str, Callable[[], Any]]] = field(default_factory=list)

    @property
    def leaves(self) -> list[str | bytes]:
        """Every text and every run of bytes inside of the messages."""
        return [leaf for message in self.messages for leaf in _leaves(message)]

    @property
    def tables(self) -> list[pd.DataFrame]:
        """Every Arrow table inside of the messages."""
        found = []
        for leaf in self.leaves:
            if isinstance(leaf, bytes):
                with suppress(pa.ArrowInvalid):
                    found.append(pa.ipc.open_stream(leaf).read_all().to_pandas(ignore_metadata=True))
        return found

    @property
    def specs(self) -> list[Any]:
        """Every JSON object inside of the messages: charts above all."""
        found = []
        for leaf in self.leaves:
            if isinstance(leaf, str) and leaf.startswith("{"):
                with suppress(ValueError):
                    found.append(json.loads(leaf))
        return found

    @property
    def files(self) -> dict[str, bytes]:
        """The content of every download by its file name."""
        made = {name: make() for name, make in self.offered}
        return {name: own if isinstance(own, bytes) else str(own).encode() for name, own in made.items()}

    @property
    def texts(self) -> list[str]:
        """Everything that can be read: texts of messages, cells of tables, files."""
        cells = [str(cell) for table in self.tables for cell in table.to_numpy().ravel()]
        written = [leaf for leaf in self.leaves if isinstance(leaf, str)]
        return [*written, *cells, *(content.decode("utf-8", "replace") for content in self.files.values())]

    @property
    def numbers(self) -> np.ndarray:
        """Every number, whether a cell, a point of a chart, packed in an array, or digits in a text."""
        found = [number for spec in self.specs for number in _numbers(spec)]
        for table in self.tables:
            found += [float(number) for number in table.select_dtypes("number").to_numpy().ravel()]
        for text in self.texts:
            found += [float(digits.replace("−", "-")) for digits in NUMBER.findall(text)]
        numbers = np.array(found)
        return numbers[~np.isnan(numbers)]


def record(monkeypatch: pytest.MonkeyPatch) -> Payload:
    """The payload of every page that is opened from now on."""
    payload = Payload()
    enqueue, defer, add = ForwardMsgQueue.enqueue, MediaFileManager.add_deferred, MediaFileManager.add

    def note_message(queue: ForwardMsgQueue, message: ForwardMsg) -> Any:
        kept = ForwardMsg()
        kept.CopyFrom(message)
        payload.messages.append(kept)
        return enqueue(queue, message)

    def note_later(
        manager: MediaFileManager,
        make: Callable[[], Any],
        *rest: Any,
        file_name: str | None = None,
        **named: Any,
    ) -> str:
        payload.offered.append((file_name or "", make))
        return defer(manager, make, *rest, file_name=file_name, **named)

    def note_file(manager: MediaFileManager, content: Any, *rest: Any, **named: Any) -> str:
        payload.offered.append((str(named.get("file_name")), lambda: content))
        return add(manager, content, *rest, **named)

    monkeypatch.setattr(ForwardMsgQueue, "enqueue", note_message)
    monkeypatch.setattr(MediaFileManager, "add_deferred", note_later)
    monkeypatch.setattr(MediaFileManager, "add", note_file)
    return payload


def _leaves(message: Message) -> Iterator[str | bytes]:
    for descriptor, value in message.ListFields():
        if descriptor.type == descriptor.TYPE_MESSAGE and descriptor.message_type.GetOptions().map_entry:
            children = [child for pair in value.items() for child in pair]
        else:
            children = list(value) if descriptor.is_repeated else [value]
        for child in children:
            if isinstance(child, Message):
                yield from _leaves(child)
            elif isinstance(child, str | bytes):
                yield child


def _numbers(spec: Any) -> Iterator[float]:
    """The numbers of a chart; plotly packs arrays of them as base64."""
    if isinstance(spec, dict) and {"dtype", "bdata"} <= set(spec):
        yield from map(float, np.frombuffer(b64decode(spec["bdata"]), dtype=spec["dtype"]))
    elif isinstance(spec, dict):
        for value in spec.values():
            yield from _numbers(value)
    elif isinstance(spec, list):
        for value in spec:
            yield from _numbers(value)
    elif isinstance(spec, int | float) and not isinstance(spec, bool):
        yield float(spec)
