"""Compile `native.cpp` with the system's compiler, for this machine, and call it."""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

SOURCE = Path(__file__).with_name("native.cpp")
FLAGS = ("-std=c++17", "-O3", "-march=native", "-pthread", "-shared", "-fPIC")
_ARRAY, _INT, _REAL = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double
#: Argument types: a(rray), i(nteger), d(ouble). All return seconds.
SIGNATURES = {
    "ping_pong": "ii",
    "read_pass": "iii",
    "chase": "ii",
    "records": "iiii",
    "fma_steps": "iia",
    "fetch_adds": "ii",
    "cas_adds": "ii",
    "w1": "aaaaiaidiiiii",
    "w1c": "aaaaaiaidii",
    "w2": "aaiaidiiiiii",
    "con": "aaidii",
    "history_scan": "aaaaiaidiii",
}
PLAIN, ATOMIC, REPLICA = 0, 1, 2


class NoCompiler(Exception):
    """There is no C++ compiler, or it refuses."""


class Library:
    """The compiled functions, called with NumPy arrays and numbers."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        kinds = {"a": _ARRAY, "i": _INT, "d": _REAL}
        for name, signature in SIGNATURES.items():
            function = getattr(self._library, name)
            function.restype = _REAL
            function.argtypes = [kinds[kind] for kind in signature]

    def __call__(self, name: str, *arguments: Any) -> float:
        """Return the seconds that the function says it took."""
        for given in arguments:
            if isinstance(given, np.ndarray) and not given.flags.c_contiguous:
                raise TypeError(f"arguments of {name} must be contiguous arrays")
        took = getattr(self._library, name)(
            *(given.ctypes.data if isinstance(given, np.ndarray) else given for given in arguments)
        )
        return float(took)


def compiler() -> list[str]:
    """Return the command of the C++ compiler: ``CXX``, or that which Python was built with."""
    for command in (os.environ.get("CXX"), sysconfig.get_config_var("CXX"), "c++", "g++"):
        words = shlex.split(command or "")
        if words and shutil.which(words[0]):
            return words
    raise NoCompiler("there is no C++ compiler here: set CXX")


def version() -> str:
    """Return how the compiler names itself."""
    said = subprocess.run([*compiler(), "--version"], capture_output=True, text=True)
    return said.stdout.partition("\n")[0]


@cache
def library() -> Library:
    """Compile (seconds, once a process) and load."""
    with tempfile.TemporaryDirectory(prefix="asysg-native-") as folder:
        built = Path(folder, "native.so")
        done = subprocess.run(
            [*compiler(), *FLAGS, str(SOURCE), "-o", str(built)], capture_output=True, text=True
        )
        if done.returncode:
            raise NoCompiler(f"{compiler()[0]} refuses native.cpp: {done.stderr[:500]}")
        return Library(built)  # stays loaded when its file is gone
