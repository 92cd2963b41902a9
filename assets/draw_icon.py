"""Draws the page icon, `icon.png`: a lens over three bars. Run it again after changing the drawing."""

import math
import struct
import zlib
from pathlib import Path

SIZE = 128
OVERSAMPLING = 4
BLUE, ORANGE = (0, 114, 178), (230, 159, 0)
CENTRE, RADIUS, RIM = (0.43, 0.43), 0.33, 0.085
BARS = ((0.27, 0.11), (0.43, 0.19), (0.59, 0.28))  # (middle, height), in shares of the picture


def main() -> None:
    """Writes the icon beside this file."""
    rows = b"".join(b"\0" + b"".join(_pixel(x, y) for x in range(SIZE)) for y in range(SIZE))
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)
    Path(__file__).with_name("icon.png").write_bytes(png)


def _pixel(x: int, y: int) -> bytes:
    """The red, green, blue and opacity of a pixel, averaged over a finer grid."""
    steps = [(step + 0.5) / OVERSAMPLING for step in range(OVERSAMPLING)]
    found = [colour for dx in steps for dy in steps if (colour := _colour((x + dx) / SIZE, (y + dy) / SIZE))]
    if not found:
        return bytes(4)
    mean = [round(sum(colour[channel] for colour in found) / len(found)) for channel in range(3)]
    return bytes([*mean, round(255 * len(found) / OVERSAMPLING**2)])


def _colour(x: float, y: float) -> tuple[int, int, int] | None:
    if abs(math.dist((x, y), CENTRE) - RADIUS) <= RIM / 2:
        return BLUE
    along = ((x - CENTRE[0]) + (y - CENTRE[1])) / math.sqrt(2)
    across = abs((x - CENTRE[0]) - (y - CENTRE[1])) / math.sqrt(2)
    if RADIUS < along <= 0.68 and across <= 0.065:
        return BLUE
    for middle, height in BARS:
        if abs(x - middle) <= 0.05 and 0.58 - height <= y <= 0.58:
            return ORANGE
    return None


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


if __name__ == "__main__":
    main()
