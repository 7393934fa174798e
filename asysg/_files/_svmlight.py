"""The format of svmlight and libsvm: ``label id:value id:value ...``, one sample a line."""

from __future__ import annotations

import re
from array import array
from pathlib import Path

import numpy as np
import scipy.sparse

from ..errors import InvalidArgument
from ._common import OPENERS, Data, is_number, show

# label [qid:n] [id:value ...]; ids of up to 18 digits fit 64 bits, and an underscore, which
# Python allows in numbers, is a typing error in data.
_LINE = re.compile(rb"\s*([^\s:_]+)(\s+qid:\d+)?((?:\s+\d{1,18}:[^\s:_]+)*)\s*")


def read_svmlight(
    path: Path, first_index: int | None, n_features: int | None, max_features: int
) -> Data:
    if first_index not in (None, 0, 1):
        raise InvalidArgument(f"first_index must be 0 or 1, got {first_index!r}.")
    if n_features is not None and n_features < 1:
        raise InvalidArgument(f"n_features must be at least 1, got {n_features!r}.")
    labels, values = array("d"), array("d")
    ids, ends, lines = array("q"), array("q", [0]), array("q")
    queries = False
    with OPENERS.get(path.suffix, open)(path, "rb") as file:
        for number, raw in enumerate(file, 1):
            line = raw.partition(b"#")[0]
            if not line or line.isspace():
                continue
            match = _LINE.fullmatch(line)
            try:
                if match is None:
                    raise ValueError
                words = match[3].replace(b":", b" ").split()
                labels.append(float(match[1]))
                values.extend(map(float, words[1::2]))
            except ValueError:
                raise InvalidArgument(
                    f"{path}, line {number}: {_flaw(line, max_features)}"
                ) from None
            ids.extend(map(int, words[::2]))
            ends.append(len(ids))
            lines.append(number)
            queries = queries or match[2] is not None
    if not lines:
        raise InvalidArgument(f"{path} must hold at least one sample, got an empty file.")

    column = np.array(ids, dtype=np.int64)
    start = np.array(ends, dtype=np.int64)
    data, y = np.array(values), np.array(labels)

    def line_of(position: int) -> str:
        row = int(np.searchsorted(start, position, side="right")) - 1
        return f"{path}, line {lines[row]}"

    zero = np.flatnonzero(column == 0)
    first = first_index if first_index is not None else (0 if zero.size else 1)
    if first == 1 and zero.size:
        raise InvalidArgument(
            f"{line_of(zero[0])}: ids must begin with 1, got 0. Read it with first_index=0."
        )
    column -= first
    most = max_features if n_features is None else min(n_features, max_features)
    for position in np.flatnonzero(column >= most)[:1]:
        raise InvalidArgument(
            f"{line_of(position)}: ids must be at most {most - 1 + first} "
            f"({most} features), got {column[position] + first}. Raise "
            f"{'max_features' if most == max_features else 'n_features'} if that is meant."
        )
    rising = np.diff(column) > 0
    inner = start[1:-1]
    # Between two samples ids may fall; empty samples share a boundary, the ends have none.
    rising[inner[(inner > 0) & (inner < column.size)] - 1] = True
    for position in np.flatnonzero(~rising)[:1] + 1:
        raise InvalidArgument(
            f"{line_of(position)}: ids must be unique and increase along a line, got "
            f"{column[position] + first} after {column[position - 1] + first}. Sort each line."
        )
    for position in np.flatnonzero(~np.isfinite(data))[:1]:
        raise InvalidArgument(
            f"{line_of(position)}: values must be finite, got {data[position]} for id "
            f"{column[position] + first}."
        )
    for row in np.flatnonzero(~np.isfinite(y))[:1]:
        raise InvalidArgument(f"{path}, line {lines[row]}: label must be finite, got {y[row]}.")
    n = n_features or int(column.max(initial=-1)) + 1
    if n == 0:
        raise InvalidArgument(f"{path} must hold at least one feature, got labels only.")
    notes = [f"svmlight, ids begin with {first}" + _why(first_index, first)]
    if queries:
        notes.append("qid ignored")
    return Data(scipy.sparse.csr_array((data, column, start), shape=(y.size, n)), y, tuple(notes))


def _why(asked: int | None, first: int) -> str:
    if asked is not None:
        return " (as told)"
    return " (the id 0 occurs)" if first == 0 else " (libsvm's convention; no id 0 occurs)"


def _flaw(line: bytes, max_features: int) -> str:
    """Say what is wrong with a line that is not svmlight."""
    label, *pairs = line.decode("ascii", "replace").split()
    if not is_number(label):
        if "," in label:
            return f"a sample must have one label, got {show(label)}. Several are not supported."
        return f"a line must begin with its label, a number, got {show(label)}."
    for pair in pairs:
        head, colon, tail = pair.partition(":")
        if not colon:
            return f"features must be id:value, got {show(pair)}."
        if head == "qid":
            continue
        if head.startswith("-") and head[1:].isdecimal():
            return f"ids must not be negative, got {show(head)}."
        if not (head.isascii() and head.isdecimal()):
            return f"ids must be whole numbers, got {show(head)}."
        if len(head) > 18:
            return f"ids must be at most {max_features}, got {show(head)}."
        if not is_number(tail):
            return f"values must be numbers, got {show(tail)} for id {head}."
    return f"a line must read 'label id:value ...', got {show(line.decode('ascii', 'replace'))}."
