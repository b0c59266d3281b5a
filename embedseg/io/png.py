"""PNG in a hurry: one Huffman code for the whole picture, and runs of one value.

Deflate spends its time on the search for repetitions, of which a photograph has none. Here each row
is predicted from the one above and the pixel before (Paeth's filter, PNG specification, section 9),
and one block of deflate (RFC 1951) holds the residuals by a Huffman code of their own; the only
repetitions are runs of one byte. It is as small as OpenCV's fastest setting in less than half of
its time.
"""

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedseg.jit import kernel

START = b"\x89PNG\r\n\x1a\n"
ZLIB = b"\x78\x01"  # deflate with a window of 32 kB, in a hurry
PAETH = 4
END, SYMBOLS = 256, 286  # of deflate's alphabet: the end of the block, the number of symbols
LONGEST_CODE = 15  # bits
SHORTEST, LONGEST = 3, 258  # bytes of a run
TOKENS = 257 + LONGEST - SHORTEST  # a byte 0..255, or a run of n bytes as 256 + n - SHORTEST
STEPS = (0, 0, 1, 2, 3, 4, 5)  # extra bits of each four symbols of lengths, but for the last one
WIDTH = 6  # bits that tell how many bits a word has, at most 32 + 5
USED = 4  # bits for each code length of the head; 0..15 are then all the codes there are
ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)  # RFC 1951, 3.2.7


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Return the PNG file of an (H, W, 3) or (H, W) uint8 picture that has pixels."""
    height, width = image.shape[:2]
    depth = image.shape[2] if image.ndim == 3 else 1
    rows = np.ascontiguousarray(image).reshape(height, width * depth)
    residuals = np.empty((height, 1 + width * depth), np.uint8)
    predict(rows, depth, residuals)
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if depth == 3 else 0, 0, 0, 0)
    data = ZLIB + deflate(residuals.reshape(-1)) + struct.pack(">I", zlib.adler32(residuals.data))
    return START + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of the file: length, kind, data, checksum."""
    check = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def deflate(data: NDArray[np.uint8]) -> bytes:
    """Return the bytes (N,) as one last block with a Huffman code of its own."""
    tokens, times = np.empty(len(data), np.uint16), np.zeros(TOKENS, np.int64)
    tokens = tokens[: parse(data, tokens, times)]
    symbol, extra, width = run_symbols()
    counts = np.bincount(symbol, times, SYMBOLS).astype(np.int64)
    counts[END] = 1
    lengths = code_lengths(counts)
    while lengths.max() > LONGEST_CODE:
        counts = (counts + 1) // 2  # flatter counts make shorter codes
        lengths = code_lengths(counts)
    codes = canonical(lengths)
    bits = lengths[symbol] + width
    word = codes[symbol] | (extra << lengths[symbol])
    bits[END:] += 1  # a run goes back by a distance of one: a bit of 0
    table = np.append(word << WIDTH | bits, codes[END] << WIDTH | lengths[END])
    tokens = np.append(tokens, np.uint16(TOKENS))
    head = np.array([value << WIDTH | size for value, size in block_head(lengths)])
    room = (bits * times).sum() + 8 * len(head) + 64
    out = np.zeros(int(room) // 32 + 2, np.uint32)
    size = int(emit(tokens, table.astype(np.uint64), head.astype(np.uint64), out))
    return out.astype("<u4").tobytes()[: (size + 7) // 8]


def run_symbols() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return for each token its symbol, the value of its extra bits, their number; RFC 1951, 3.2.5.

    Lengths 3..257 go by fours of symbols whose extra bits grow; 258 has the last symbol to itself.
    """
    symbol = np.arange(TOKENS)
    extra, width = np.zeros((2, TOKENS), np.int64)
    start, code = 256, 257
    for bits in [b for b in STEPS[1:] for _ in range(4 if b else 8)]:
        part = slice(start, start + (1 << bits))
        symbol[part], extra[part], width[part] = code, np.arange(1 << bits), bits
        start, code = part.stop, code + 1
    symbol[-1], extra[-1], width[-1] = SYMBOLS - 1, 0, 0
    return symbol, extra, width


def block_head(lengths: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the head of the block, (value, bits) by turns: each code length takes USED bits."""
    head = [(1, 1), (2, 2), (SYMBOLS - 257, 5), (0, 5), (len(ORDER) - 4, 4)]
    head += [(USED * (code < 16), 3) for code in ORDER]
    backwards = [int(f"{value:04b}"[::-1], 2) for value in range(16)]
    return head + [(backwards[n], USED) for n in (*lengths.tolist(), 1)]  # 1: of distance 1


def code_lengths(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the length in bits of the Huffman code of each symbol; 0 for those of count 0."""
    order = np.argsort(counts, kind="stable")
    order = order[counts[order] > 0]
    lengths = np.zeros(len(counts), np.int64)
    lengths[order] = depths(counts[order])
    return lengths


@kernel
def depths(counts: Any) -> Any:
    """Return the depth of each leaf of the Huffman tree of ascending counts (n,), n >= 2."""
    n = len(counts)
    weight, parent = np.zeros(2 * n - 1, np.int64), np.zeros(2 * n - 1, np.int64)
    weight[:n] = counts
    leaf, inner = 0, n
    for node in range(n, 2 * n - 1):
        for _ in range(2):
            if leaf < n and (inner == node or weight[leaf] <= weight[inner]):
                chosen, leaf = leaf, leaf + 1
            else:
                chosen, inner = inner, inner + 1
            weight[node] += weight[chosen]
            parent[chosen] = node
    depth = np.zeros(2 * n - 1, np.int64)
    for node in range(2 * n - 3, -1, -1):
        depth[node] = depth[parent[node]] + 1
    return depth[:n]


@kernel
def canonical(lengths: Any) -> Any:
    """Return the codes of these lengths, RFC 1951, 3.2.2, with the first bit lowest."""
    codes = np.zeros(len(lengths), np.int64)
    code = 0
    for size in range(1, 16):
        code <<= 1
        for symbol in range(len(lengths)):
            if lengths[symbol] == size:
                for bit in range(size):
                    codes[symbol] |= ((code >> bit) & 1) << (size - 1 - bit)
                code += 1
    return codes


@kernel
def predict(rows: Any, depth: int, residuals: Any) -> None:
    """Write into residuals (H, 1 + N) each row's filter and rows (H, N) less Paeth's prediction."""
    for r in range(len(rows)):
        row, out = rows[r], residuals[r]
        above = rows[r - 1] if r else np.zeros_like(row)
        out[0] = PAETH
        for i in range(depth):
            out[1 + i] = row[i] - above[i]
        for i in range(depth, len(row)):
            a, b, c = np.int16(row[i - depth]), np.int16(above[i]), np.int16(above[i - depth])
            to_a, to_b, to_c = abs(b - c), abs(a - c), abs(a + b - c - c)
            guess = a if to_a <= to_b and to_a <= to_c else (b if to_b <= to_c else c)
            out[1 + i] = np.uint8(row[i] - guess)


@kernel
def parse(data: Any, tokens: Any, times: Any) -> int:
    """Write the tokens of data (N,), add how often each comes to times; return their number."""
    size, place = 0, 0
    odd = np.zeros(256, np.int64)  # two counters: the same one twice in a row would have to wait
    while place < len(data):
        value = data[place]
        tokens[size] = value
        if place & 1:
            odd[value] += 1
        else:
            times[value] += 1
        size += 1
        place += 1
        if place + 2 < len(data) and value == data[place] == data[place + 1] == data[place + 2]:
            end = place + SHORTEST
            while end < len(data) and data[end] == value:
                end += 1
            while end - place >= SHORTEST:
                run = min(end - place, LONGEST)
                tokens[size] = 256 + run - SHORTEST
                times[256 + run - SHORTEST] += 1
                size += 1
                place += run
    times[:256] += odd
    return size


@kernel
def emit(tokens: Any, table: Any, head: Any, out: Any) -> Any:
    """Write head and tokens into out (M,) uint32 as bits, lowest first; return how many.

    The table has a word for each token: its bits above, how many they are in the WIDTH lowest.
    """
    buffer, filled, place = np.uint64(0), np.uint64(0), np.int64(0)
    mask, shift = np.uint64((1 << WIDTH) - 1), np.uint64(WIDTH)
    for index in range(len(head) + len(tokens)):
        word = head[index] if index < len(head) else table[tokens[index - len(head)]]
        buffer |= (word >> shift) << filled
        filled += word & mask
        out[place] = buffer  # always, so that nothing is to be guessed
        full = filled >> np.uint64(5)
        place += np.int64(full)
        buffer >>= full << np.uint64(5)
        filled &= np.uint64(31)
    out[place] = buffer
    return place * 32 + np.int64(filled)
