"""What a run on real threads holds, for ``threads.pyx`` and ``served.pyx``."""

from libc.stdint cimport int64_t

from .proximal cimport Lazy
from .worker cimport Method, Run, Worker


cdef class Threads:
    cdef Run r
    cdef Method method
    cdef int64_t p
    cdef int64_t first
    cdef Worker *workers
    cdef double[::1] x_view
    cdef list keep
    cdef list unnumbered        # replica mode: what is kept of a batch until it has numbers
    cdef readonly object x
    cdef Lazy lazy              # what is stored where proximal steps are, else None
    cdef object histograms
    cdef readonly object log
    cdef readonly object log_dtype
    cdef readonly object reads
    cdef readonly int team
    cdef readonly double share  # of the updates that are done one by one
    cdef int64_t block
    cdef void room(self)
