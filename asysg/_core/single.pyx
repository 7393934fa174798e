"""AsySG-con on real threads with x in single precision.

The very kernels of ``server.pxd`` and ``alone.pxd``, for float: the same clock, locks, bound and
record. A worker's read and gradient lie, half as long, in the memory that they would have in double
precision.
"""

from libc.stdint cimport int64_t

from .alone cimport alone
from .server cimport con
from .threads cimport Threads
from .worker cimport UPDATES, Run, Worker

import numpy as np

cdef void single(Run *r, int64_t w, Worker *me) noexcept nogil:
    if r.alone and r.M == 1 and r.f.descend32 != NULL and r.recording < UPDATES:
        alone(r, me, r.x32)
    else:
        con(r, w, me, r.x32)


cdef class Single(Threads):
    """A run of "asysg-con" or "sgd" whose x is float32.

    `x` holds the same numbers in double precision, between regions. A steplength is rounded when
    it is used.

    Parameters
    ----------
    capsule
        Of an objective that computes in single precision (`Kernel.single`).
    x0 : ndarray of shape (n,), float64
        Copied, and rounded.
    M, p, key, max_delay, recording, clock, segment, slope
        As for `Threads`.
    """

    cdef object state
    cdef float[::1] state_view

    def __init__(
        self, capsule, x0, *, M, p, key, max_delay=-1, recording="sampled", clock=0, segment=None,
        slope=0.0,
    ):
        Threads.__init__(
            self, capsule, x0, method="asysg-con", M=M, p=p, key=key, max_delay=max_delay,
            recording=recording, clock=clock, segment=segment, slope=slope,
        )
        if self.r.f.minibatch32 is NULL:
            raise ValueError("the objective must compute in single precision.")
        self.state = self.state_view = self.shared(x0, np.float32)
        self.x[:] = self.state
        self.r.x32 = &self.state_view[0]
        self.r.kernel = single

    def advance(self, until, gamma):
        """Run updates ``clock, ..., until - 1``; see `Threads.advance`."""
        Threads.advance(self, until, gamma)
        self.x[:] = self.state
