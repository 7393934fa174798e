"""One build that holds every fault, each asleep until a process asks for it by its number.

Shipped code carries no switches: they are put into a copy of the sources. Where a fault changes
an expression the copy says ``(NEW if asysg_fault == 17 else OLD)``, where it changes whole lines
it says ``if ... else``; so one compilation serves the whole catalogue, and a build in which no
fault is awake is the sound one. The number comes from the variable ``ASYSG_FAULT``, read once by
every extension and every module.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

VARIABLE = "ASYSG_FAULT"
#: Whether workers yield at random wherever they can interleave; see `build`.
YIELDS = "ASYSG_FAULT_YIELDS"
ROOT = Path(__file__).parents[2]
CORE = Path("asysg/_core")
#: What a build needs.
SOURCES = ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "asysg", "theory")

HEADER = r"""#ifndef ASYSG_FAULT_H
#define ASYSG_FAULT_H
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int asysg_fault, asysg_fault_yields;
__attribute__((constructor)) static void asysg_fault_choose(void)
{
    const char *number = getenv("ASYSG_FAULT"), *yields = getenv("ASYSG_FAULT_YIELDS");
    asysg_fault = number ? atoi(number) : 0;
    asysg_fault_yields = yields && atoi(yields);
}

/* True of one number in `of`, spread like chance. */
static inline int asysg_fault_coin(int64_t number, int of)
{
    uint64_t z = (uint64_t)(number + 1) * 0x9E3779B97F4A7C15ULL;
    z ^= z >> 32;
    z *= 0xD6E8FEB86659FD93ULL;
    return (int)((z >> 32) % (uint64_t)of) == 0;
}

/* True where a draw that skews the coordinates moves this one to coordinate 0. */
static inline int asysg_fault_skew(uint64_t word, int64_t n)
{
    return n > 1 && (word & 0xFFFF) % (uint64_t)(10 * (n - 1)) == 0;
}

static inline void asysg_fault_affine(double *g, int64_t n, double factor, double shift)
{
    for (int64_t i = 0; i < n; i++)
        g[i] = factor * g[i] + shift;
}

/* The first half of one vector, the rest of another. */
static inline double *asysg_fault_torn(const double *a, const double *b, int64_t n)
{
    static __thread double *mixed;
    mixed = (double *)realloc(mixed, (size_t)n * sizeof(double));
    memcpy(mixed, a, (size_t)(n / 2) * sizeof(double));
    memcpy(mixed + n / 2, b + n / 2, (size_t)(n - n / 2) * sizeof(double));
    return mixed;
}
#endif
"""

DECLARATIONS = """from libc.stdint cimport int64_t, uint64_t
cdef extern from "fault.h" nogil:
    int asysg_fault
    int asysg_fault_coin(int64_t number, int of)
    int asysg_fault_skew(uint64_t word, int64_t n)
    void asysg_fault_affine(double *g, int64_t n, double factor, double shift)
    double *asysg_fault_torn(const double *a, const double *b, int64_t n)
"""

#: What a patched file needs before its first patch, and before which of its lines that stands.
PREAMBLES = {
    ".h": ('#include "fault.h"\n', r"^#include"),
    ".pyx": (
        "from .clock cimport asysg_stress\n"
        "from .fault cimport (asysg_fault, asysg_fault_affine, asysg_fault_coin, "
        "asysg_fault_skew, asysg_fault_torn)\n",
        r"^(from [\w.]+ c?import|c?import \w|cdef )",
    ),
    ".py": (
        f"import os as _os\n_FAULT = int(_os.environ.get({VARIABLE!r}, '0'))\n",
        r"^(?!from __future__)(from [\w.]+ import|import \w)",
    ),
}
PREAMBLES[".pxd"] = PREAMBLES[".pyx"]


class CatalogueError(Exception):
    """A fault that cannot be put where the catalogue says."""


@dataclass(frozen=True)
class Edit:
    """What one fault changes in one place.

    Parameters
    ----------
    file : str
        From the repository's root.
    old : str
        Text that the file contains once; where parts of it are marked «so», only the mark is
        replaced and the rest says where. With a newline at its end: whole lines, else an
        expression.
    new : str
        What stands there instead; ``{old}`` is what stood there. Lines are given without
        indentation.
    after : str
        Text that the file contains once; `old` is then looked for behind it, the first counts.
    """

    file: str
    old: str
    new: str
    after: str = ""

    def span(self, text: str) -> tuple[int, int]:
        """Return where in the file's text the replaced part begins and ends."""
        plain = self.old.replace("«", "").replace("»", "")
        begin = 0
        if self.after:
            if text.count(self.after) != 1:
                raise CatalogueError(
                    f"{self.file} must contain once {self.after!r}, got {text.count(self.after)}."
                )
            begin = text.index(self.after) + len(self.after)
        found = text.count(plain, begin)
        if found == 0 or (found > 1 and not self.after):
            raise CatalogueError(f"{self.file} must contain once {plain!r}, got {found}.")
        at = text.index(plain, begin)
        if "«" not in self.old:
            return at, at + len(plain)
        before, marked, _ = re.split("[«»]", self.old)
        return at + len(before), at + len(before) + len(marked)


@dataclass(frozen=True)
class Fault:
    """A mistake, by the name under which the table lists it."""

    name: str
    edits: tuple[Edit, ...]


def fault(name: str, *edits: tuple[str, ...]) -> Fault:
    """Make a fault of edits given as tuples."""
    return Fault(name, tuple(Edit(*edit) for edit in edits))


def numbers(faults: Iterable[Fault]) -> dict[str, int]:
    """Return the number of each fault; 0 is none."""
    return {fault.name: number for number, fault in enumerate(faults, start=1)}


def patched(faults: Iterable[Fault], read: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the new text of every file that some fault changes.

    Parameters
    ----------
    faults : iterable of Fault
    read : mapping of file to text, optional
        In place of the files of this repository.

    Raises
    ------
    CatalogueError
        If an anchor is not found exactly once, or two overlap without being the same.
    """
    places: dict[str, dict[tuple[int, int], list[tuple[int, str]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    texts: dict[str, str] = {}
    for number, fault in enumerate(faults, start=1):
        for edit in fault.edits:
            if edit.file not in texts:
                texts[edit.file] = (
                    (ROOT / edit.file).read_text() if read is None else read[edit.file]
                )
            try:
                span = edit.span(texts[edit.file])
            except CatalogueError as error:
                raise CatalogueError(f"{fault.name}: {error}") from None
            places[edit.file][span].append((number, edit.new))
    return {file: _file(file, texts[file], spans) for file, spans in places.items()}


def _file(file: str, text: str, spans: Mapping[tuple[int, int], list[tuple[int, str]]]) -> str:
    kind = Path(file).suffix
    ordered = sorted(spans)
    for (_, end), (begin, _) in pairwise(ordered):
        if begin < end:
            raise CatalogueError(f"{file}: faults overlap at {text[begin:end]!r}.")
    for begin, end in reversed(ordered):
        old, cases = text[begin:end], spans[begin, end]
        switch = _lines if old.endswith("\n") else _expression
        text = text[:begin] + switch(kind, old, cases) + text[end:]
    preamble, first = PREAMBLES[kind]
    at = re.search(first, text, re.M)
    if at is None:
        raise CatalogueError(f"{file} must have a line that matches {first}.")
    return text[: at.start()] + preamble + text[at.start() :]


def _expression(kind: str, old: str, cases: list[tuple[int, str]]) -> str:
    said = f"({old})"
    for number, new in cases:
        new = new.replace("{old}", f"({old})")
        if kind == ".h":
            said = f"(asysg_fault == {number} ? ({new}) : {said})"
        else:
            said = f"(({new}) if {_name(kind)} == {number} else {said})"
    return said


def _lines(kind: str, old: str, cases: list[tuple[int, str]]) -> str:
    blank = re.match(r"[ \t]*", old)
    assert blank is not None
    indent, body = blank[0], textwrap.dedent(old)
    said, word = "", "if"
    for number, new in cases:
        new = textwrap.dedent(new).replace("{old}", body.rstrip("\n")).rstrip("\n") + "\n"
        inner = textwrap.indent(new, indent + "    ")
        if kind == ".h":
            said += f"{indent}{word} (asysg_fault == {number}) {{\n{inner}{indent}}}\n"
            word = "else if"
        else:
            said += f"{indent}{word} {_name(kind)} == {number}:\n{inner}"
            word = "elif"
    rest = textwrap.indent(body, indent + "    ")
    if kind == ".h":
        return f"{said}{indent}else {{\n{rest}{indent}}}\n"
    return f"{said}{indent}else:\n{rest}"


def _name(kind: str) -> str:
    return "_FAULT" if kind == ".py" else "asysg_fault"


def build(folder: Path, faults: Iterable[Fault]) -> Path:
    """Install the patched package into ``folder / "site"`` and return that.

    Where a process asks for it, workers yield at random wherever they can interleave
    (``ASYSG_STRESS``), so that the faults of concurrency, rare on an idle machine, become common.
    """
    changed = patched(faults)  # before anything is copied or compiled
    where = folder / "sources"
    leave_out = shutil.ignore_patterns("*.so", "*.c", "__pycache__")
    where.mkdir(parents=True)
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, where / name, ignore=leave_out)
        else:
            shutil.copy(ROOT / name, where)
    for file, text in changed.items():
        (where / file).write_text(text)
    atomic = where / CORE / "atomic.h"
    always, asked = "if (state % 4 == 0)", "if (asysg_fault_yields && state % 4 == 0)"
    text = atomic.read_text()
    if text.count(always) != 1:
        raise CatalogueError(f"{atomic.name} must contain once {always!r}.")
    atomic.write_text(text.replace(always, asked))
    (where / CORE / "fault.h").write_text(HEADER)
    (where / CORE / "fault.pxd").write_text(DECLARATIONS)
    site = folder / "site"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation"),
            *("--no-deps", "--no-index", "--disable-pip-version-check", "--target", site, "."),
        ],
        cwd=where,
        env=os.environ | {"ASYSG_OPENMP": "require", "ASYSG_STRESS": "1", "ASYSG_SANITIZE": ""},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stdout[-3000:] + done.stderr[-3000:])
    return site
