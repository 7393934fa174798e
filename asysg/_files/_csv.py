"""CSV: one sample a line, one column of labels."""

from __future__ import annotations

import csv
import re
from array import array
from itertools import chain
from pathlib import Path

import numpy as np

from ..errors import InvalidArgument
from ._common import Data, dense, is_number, labels_of, numbers_or_words, open_text, show

_DELIMITERS = (",", ";", "\t")


def read_csv(path: Path, labels: str | None, header: bool | None) -> Data:
    values, words, width = array("d"), list[str](), 0
    with open_text(path) as file:
        top = file.readline()
        delimiter = next((d for d in _DELIMITERS if d in top), ",")
        reader = csv.reader(chain([top], file), delimiter=delimiter, strict=True)
        try:
            rows = (row for row in reader if row)
            first = next(rows, None)
            if first is None:
                raise InvalidArgument(f"{path} must hold at least one sample, got an empty file.")
            width = len(first)
            if width < 2:
                raise InvalidArgument(
                    f"{path} must have a label and at least one feature a line, got one column."
                )
            target = _label_column(path, labels, first)
            if header is None:
                features = first[:target] + first[target + 1 :]
                header = _names(labels) or not any(map(is_number, features))
            for row in rows if header else chain([first], rows):
                if len(row) != width:
                    raise InvalidArgument(
                        f"{path}, line {reader.line_num}: every line must have {width} columns, "
                        f"as the first has, got {len(row)}."
                    )
                words.append(row.pop(target).strip())
                try:
                    values.extend(map(float, row))
                    sound = "_" not in "".join(row) and words[-1] != ""
                except ValueError:
                    sound = False
                if not sound:
                    row.insert(target, words[-1])
                    raise InvalidArgument(
                        f"{path}, line {reader.line_num}: {_bad_cell(row, target)}"
                    )
        except csv.Error as error:
            raise InvalidArgument(
                f"{path}, line {reader.line_num}: must be CSV, got: {error}."
            ) from error
    if not words:
        raise InvalidArgument(f"{path} must hold at least one sample, got a header only.")
    A = np.array(values).reshape(len(words), width - 1)
    place = f"column {target}" + (f" ({first[target].strip()})" if header else "")
    notes = f"CSV {'with' if header else 'without'} header, labels from {place}"
    return Data(
        dense(path, "features", A), labels_of(f"{path}, {place}", numbers_or_words(words)), (notes,)
    )


def _names(labels: str | None) -> bool:
    """Tell whether the label column is given by its name."""
    return labels is not None and not re.fullmatch(r"-?\d{1,9}", labels)


def _label_column(path: Path, labels: str | None, first: list[str]) -> int:
    """Return the position of the label column, from 0."""
    width = len(first)
    if labels is None:
        return width - 1
    if _names(labels):
        found = [i for i, name in enumerate(first) if name.strip() == labels]
        if len(found) != 1:
            raise InvalidArgument(
                f"labels must name one column of {path} ({show(','.join(first))}), got {labels!r}."
            )
        return found[0]
    number = int(labels)
    if not -width <= number < width:
        raise InvalidArgument(
            f"labels must be a column of {path}, {-width}..{width - 1}, got {labels}."
        )
    return number % width


def _bad_cell(row: list[str], target: int) -> str:
    for column, cell in enumerate(row):
        if not cell.strip():
            return f"column {column} (from 0) must not be empty. Fill in or drop missing values."
        if column != target and not is_number(cell):
            return f"column {column} (from 0) must be a number, got {show(cell)}."
    return "every feature must be a number."
