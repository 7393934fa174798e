"""The owner of an objective's C struct, shared by every compiled family."""

from .abi cimport asysg_objective


cdef class Kernel:
    cdef asysg_objective abi
    cdef tuple arguments

    cdef int prepare(self) except -1
