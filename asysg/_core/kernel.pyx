"""The owner of an objective's C struct, shared by every compiled family."""

from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_GetContext, PyCapsule_New, PyCapsule_SetContext
from cpython.ref cimport Py_DECREF, Py_INCREF

from .abi cimport ASYSG_OBJECTIVE

import numpy as np


def rounded(values):
    """Return numbers in single precision; raise OverflowError where one is beyond its range."""
    with np.errstate(over="ignore"):
        found = np.asarray(values).astype(np.float32)
    if not np.isfinite(found).all():
        raise OverflowError("numbers must be finite in single precision.")
    return found


cdef void release(object capsule) noexcept:
    """Drop the reference by which a capsule keeps its kernel alive."""
    Py_DECREF(<object><PyObject *>PyCapsule_GetContext(capsule))


cdef class Kernel:
    """An objective's C struct and the arrays it points into.

    A family derives from this class, keeps its arrays in attributes and fills ``abi`` in
    its constructor. `arguments` are the constructor's, so that every kernel pickles.
    """

    @property
    def capsule(self):
        """A new capsule around the struct; it keeps this kernel alive as long as it lives."""
        if self.abi.self == NULL:
            raise TypeError(f"{type(self).__name__} is only a base of the compiled families.")
        capsule = PyCapsule_New(&self.abi, ASYSG_OBJECTIVE, release)
        PyCapsule_SetContext(capsule, <void *>self)
        Py_INCREF(self)
        return capsule

    @property
    def n(self):
        """Number of coordinates."""
        return self.abi.n

    @property
    def n_samples(self):
        """Number of samples; 0 for a stream."""
        return self.abi.n_samples

    def single(self):
        """Make ready the gradients in single precision, once; return whether there are any."""
        return self.abi.minibatch32 != NULL

    cdef int prepare(self) except -1:
        """Make ready what `full_partial` is fast with, once; nothing here."""
        return 0

    def __reduce__(self):
        return type(self), self.arguments
