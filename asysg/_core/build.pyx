"""What this build was made with, as its compiler tells it."""

cdef extern from *:
    """
    #if defined(__clang__)
    #define ASYSG_COMPILER "Clang " __clang_version__
    #elif defined(__GNUC__)
    #define ASYSG_COMPILER "GCC " __VERSION__
    #else
    #define ASYSG_COMPILER "unknown"
    #endif
    """
    const char *ASYSG_COMPILER


def compiler():
    """Return the name and version of the C compiler."""
    return ASYSG_COMPILER.decode("ascii").strip()
