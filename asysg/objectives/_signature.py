"""What a user compiles: the signatures, their spellings, and addresses out of what holds them."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import LowLevelCallable

from .. import _check
from .._core.native import capsule_parts
from ..errors import InvalidArgument

#: Kinds of the arguments of a function, by what it computes.
ARGUMENTS = {
    "gradient": ("const double *", "double *", "long", "long", "void *"),
    "value": ("const double *", "double *", "long", "long", "void *"),
    "partial": ("const double *", "double *", "long", "long", "long", "void *"),
}
NAMES = {
    "gradient": ("x", "g", "n", "sample", "user_data"),
    "value": ("x", "out", "n", "sample", "user_data"),
    "partial": ("x", "out", "n", "sample", "i", "user_data"),
}
#: What all functions of ctypes are.
CFUNCTION: Any = ctypes.CFUNCTYPE(None).__mro__[1]
TOOLS = ("c", "cython", "ctypes", "numba")
#: Spellings of a signed integer of 64 bits; `long` where it is one.
LONGS = {
    "int64_t", "int64", "longlong", "long long", "long long int", "signed long long",
    "npy_int64", "npy_intp", "npy_longlong", "intp_t", "intp", "ssize_t", "Py_ssize_t",
    "ptrdiff_t", "intptr_t", "PY_LONG_LONG", "c_int64", "c_longlong", "c_ssize_t",
}  # fmt: skip
if ctypes.sizeof(ctypes.c_long) == 8:
    LONGS |= {"long", "long int", "signed long", "signed long int", "npy_long", "c_long"}
INTS = {"int", "signed int", "signed", "int32_t", "int32", "npy_int", "npy_int32", "intc", "c_int"}
DOUBLES = {"double", "npy_double", "npy_float64", "float64_t", "float64", "double_t", "c_double"}
#: Words that say nothing of how a function is called.
SILENT = {"const", "volatile", "restrict", "__restrict", "__restrict__", "struct"}
#: What Cython calls a type that it was told of by NumPy's own declarations.
MANGLED = re.compile(r"__pyx_t_\d+numpy_(\w+)")
SHAPE = re.compile(r"\s*(?P<result>[^()]+?)\s*(?:\(\s*\*+\s*\w*\s*\)\s*)?\((?P<arguments>[^()]*)\)")


def signature(tool: str = "c", of: str = "gradient", *, row: bool = False) -> Any:
    """Return what a function for `from_lowlevel` must look like, in the words of a tool.

    Parameters
    ----------
    tool : {"c", "cython", "ctypes", "numba"}
        "c": a declaration; "cython": the same as Cython has it; "numba": the string that
        ``numba.cfunc`` takes; "ctypes": the function type, whose ``argtypes`` and ``restype`` a
        function of a shared library is given.
    of : {"gradient", "value", "partial"}
        What the function computes.
    row : bool
        Whether the last argument is the sample's row of the data (`from_lowlevel` with `A`), not
        user data.

    Returns
    -------
    str, or a ctypes function type

    Raises
    ------
    InvalidArgument
        For another tool or function.

    Examples
    --------
    >>> from asysg import objectives
    >>> objectives.signature()
    'int gradient(const double *x, double *g, long n, long sample, void *user_data)'
    >>> objectives.signature("numba", "partial")
    'intc(CPointer(double), CPointer(double), int64, int64, int64, voidptr)'
    >>> objectives.signature("c", row=True)
    'int gradient(const double *x, double *g, long n, long sample, const double *row)'
    """
    _check.choice("tool", tool, TOOLS)
    _check.choice("of", of, tuple(ARGUMENTS))
    _check.choice("row", row, (True, False))
    kinds, names = list(ARGUMENTS[of]), list(NAMES[of])
    if row:
        kinds[-1], names[-1] = "const double *", "row"
    if tool == "numba":
        words = {"double": "CPointer(double)", "long": "int64", "void": "voidptr"}
        spelt = ", ".join(words[re.findall(r"double|long|void", kind)[0]] for kind in kinds)
        return f"intc({spelt})"
    if tool == "ctypes":
        types: dict[str, Any] = {
            "double": ctypes.POINTER(ctypes.c_double),
            "long": ctypes.c_int64,
            "void": ctypes.c_void_p,
        }
        found = [types[re.findall(r"double|long|void", kind)[0]] for kind in kinds]
        return ctypes.CFUNCTYPE(ctypes.c_int, *found)
    spelt = ", ".join(
        f"{kind}{'' if kind.endswith('*') else ' '}{name}"
        for kind, name in zip(kinds, names, strict=True)
    )
    declared = f"int {of}({spelt})"
    return f"cdef api {declared} noexcept nogil" if tool == "cython" else declared


def _kind(text: str) -> str:
    """Return the kind of an argument: one of those in `ARGUMENTS`, or its own spelling."""
    spelt = re.sub(r"\w*\s*\[\d*\]$", "*", MANGLED.sub(r"\1", text.strip()))
    if "*" in spelt:
        first, *others = spelt.split("*")
        words = first.split()
        base = " ".join(word for word in words if word not in SILENT)
        if base in DOUBLES and len(others) == 1:
            return "const double *" if "const" in words else "double *"
        return "void *"  # another pointer, which serves for user data alone
    spoken = [word for word in spelt.split() if word not in SILENT]
    for words in (spoken, spoken[:-1]):  # the last one may be the argument's name
        if " ".join(words) in LONGS:
            return "long"
    return spelt


def complaint(given: str, of: str) -> str | None:
    """Say what is wrong with a signature; None if a function of that signature can be called."""
    shape = SHAPE.match(given)
    if shape is None:
        return "it is no signature"
    result = " ".join(word for word in shape["result"].split() if word not in SILENT)
    if result not in INTS and result.rpartition(" ")[0] not in INTS:  # maybe with a name
        return f"it must return int, not {result}"
    wanted = ARGUMENTS[of]
    listed = [part for part in shape["arguments"].split(",") if part.strip() not in ("", "void")]
    if len(listed) != len(wanted):
        return f"it must take {len(wanted)} arguments, not {len(listed)}"
    for number, (text, kind) in enumerate(zip(listed, wanted, strict=True), 1):
        found = _kind(text)
        if kind == "void *":
            good = "*" in found
        elif kind == "const double *":
            good = found in (kind, "double *")
        else:
            good = found == kind
        if not good:
            return f"argument {number} must be {kind}, not {text.strip()}"
    return None


@dataclass(frozen=True)
class Function:
    """A function that compiled code can call.

    Attributes
    ----------
    address, data : int
        Of the function and of its user data; 0 for none.
    keep : object
        What must live as long as it is called.
    """

    address: int
    data: int
    keep: Any


NONE = Function(0, 0, None)


def function(name: str, given: Any, of: str, data: int) -> Function:
    """Return the function that was given in one of the accepted ways.

    Parameters
    ----------
    name : str
        Of the argument, for errors.
    given : object
        See `from_lowlevel`.
    of : str
        A key of `ARGUMENTS`.
    data : int
        Address of the user data, for a function that brings none of its own.

    Raises
    ------
    InvalidArgument
        If it is none of those, or its signature another one.
    """
    spelt = None
    held = given
    if isinstance(given, tuple) and not isinstance(given, LowLevelCallable):
        if len(given) != 2 or not isinstance(given[1], str):
            raise _refused(name, of, repr(given), "a pair is a function and its signature")
        given, spelt = given
    if isinstance(given, int) and not isinstance(given, bool):
        if spelt is None or given == 0:
            raise _refused(name, of, repr(given), "an address comes as (address, signature)")
        address, own = given, 0
    else:
        own_signature, address, own = _opened(name, of, given, spelt)
        spelt = spelt or own_signature
    wrong = complaint(spelt, of)
    if wrong is not None:
        raise _refused(name, of, repr(spelt), wrong)
    return Function(address, own or data, held)


def _opened(name: str, of: str, given: Any, spelt: str | None) -> tuple[str, int, int]:
    """Return signature, address and user data of what holds a function."""
    if hasattr(given, "native_name") and hasattr(given, "ctypes"):  # a numba cfunc, unimported
        given = given.ctypes
    if hasattr(given, "py_func"):
        raise _refused(name, of, repr(given), "numba.njit makes no C function: use numba.cfunc")
    if isinstance(given, CFUNCTION) and spelt is None and given.argtypes is None:
        raise _refused(
            name, of, repr(given), "set its argtypes and restype, or give (function, signature)"
        )
    try:
        held = LowLevelCallable(given, signature=spelt)
    except ValueError:
        hint = "it is no compiled function"
        if callable(given):
            hint += ": for plain Python there is objectives.from_callable"
        raise _refused(name, of, repr(given), hint) from None
    return capsule_parts(tuple.__getitem__(held, 0))


def _refused(name: str, of: str, got: str, why: str) -> InvalidArgument:
    return InvalidArgument(
        f"{name} must be a function {signature('c', of)!r} (numba: "
        f"{signature('numba', of)!r}), got {got}: {why}. It may come as scipy.LowLevelCallable, "
        "numba cfunc, ctypes function, Cython's capsule or (address, signature)."
    )


def pointer(user_data: Any) -> int:
    """Return the address of user data; what it is taken from must be kept alive.

    Raises
    ------
    InvalidArgument
        If it has none.
    """
    if user_data is None:
        return 0
    if isinstance(user_data, int) and not isinstance(user_data, bool):
        return user_data
    if isinstance(user_data, np.ndarray) and user_data.flags.c_contiguous:
        return int(user_data.ctypes.data)
    if isinstance(user_data, ctypes.c_void_p):
        return user_data.value or 0
    if isinstance(user_data, ctypes._Pointer):
        return ctypes.cast(user_data, ctypes.c_void_p).value or 0
    if isinstance(user_data, ctypes.Structure | ctypes.Array):
        return ctypes.addressof(user_data)
    if type(user_data).__name__ == "PyCapsule":
        return capsule_parts(user_data)[1]
    raise InvalidArgument.of(
        "user_data",
        "must be a contiguous array, a ctypes object, a PyCapsule or an address",
        type(user_data).__name__,
        "A structured array or a ctypes.Structure holds several things.",
    )
