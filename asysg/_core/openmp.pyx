"""What this build can do in parallel; the only door to ``omp_*``."""

import os

cdef extern from *:
    """
    #include <limits.h>
    #ifdef _OPENMP
    #include <omp.h>
    #define ASYSG_HAS_OPENMP _OPENMP
    static int asysg_thread_limit(void) { return omp_get_thread_limit(); }
    /* gcc has had the call since 9, though it still announces an older specification. */
    #if _OPENMP >= 201811 || (defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 9)
    static void asysg_pause(void) { omp_pause_resource_all(omp_pause_soft); }
    #else
    static void asysg_pause(void) {}
    #endif
    #else
    #define ASYSG_HAS_OPENMP 0
    static int asysg_thread_limit(void) { return 1; }
    static void asysg_pause(void) {}
    #endif
    """
    int ASYSG_HAS_OPENMP
    int asysg_thread_limit() nogil
    void asysg_pause() nogil


def openmp_version():
    """Return the OpenMP specification date of this build (yyyymm), 0 without OpenMP."""
    return ASYSG_HAS_OPENMP


def thread_limit():
    """Return the most threads one parallel region can have; 1 without OpenMP."""
    return asysg_thread_limit()


# A child of fork inherits a thread pool whose threads do not exist in it, and hangs in its
# first parallel region. The pool is released before the fork and grows again on demand.
if ASYSG_HAS_OPENMP and hasattr(os, "register_at_fork"):
    os.register_at_fork(before=asysg_pause)
