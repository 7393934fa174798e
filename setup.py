"""Build of the compiled core: one OpenMP probe, one list of extensions.

Everything declarative lives in pyproject.toml. ``ASYSG_OPENMP`` chooses what the
probe may decide: ``auto`` (default: use OpenMP if a program compiled with it links
and runs), ``require`` (fail the build otherwise) or ``off``.

Two more switches make builds for the tests of the threads, never for use (they are slow):

``ASYSG_SANITIZE``
    ``thread``: with ThreadSanitizer; ``address``: with AddressSanitizer and
    UndefinedBehaviorSanitizer. Both need the sanitizer's library preloaded:
    docs/how-to/sanitizers.rst.
``ASYSG_STRESS``
    ``1``: with random yields wherever the workers can interleave.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

CORE = Path("asysg/_core")
# -O1 keeps the accesses of the source; -g and the frame pointer give reports their lines.
WATCHED = ["-O1", "-g", "-fno-omit-frame-pointer"]
SANITIZE = {
    "": ["-O3"],
    "thread": [*WATCHED, "-fsanitize=thread"],
    "address": [*WATCHED, "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"],
}
STRESS = {"": [], "0": [], "1": ["-DASYSG_STRESS"]}


def switch(name, default, values):
    """Return the value of an environment variable, or refuse it."""
    value = os.environ.get(name, default)
    if value not in values:
        *others, last = filter(None, values)
        raise SystemExit(f"{name} must be {', '.join(others)} or {last}, got {value!r}.")
    return value


MODE = switch("ASYSG_OPENMP", "auto", ("auto", "require", "off"))
# -ffp-contract=off: a fused multiply-add would make the kernels differ from the NumPy oracle,
# which they must equal to the last bit.
FLAGS = [
    "-ffp-contract=off",
    *SANITIZE[switch("ASYSG_SANITIZE", "", SANITIZE)],
    *STRESS[switch("ASYSG_STRESS", "", STRESS)],
]

PROBE = r"""
#include <omp.h>
int main(void) {
    int total = 0;
    #pragma omp parallel for num_threads(2) reduction(+:total)
    for (int i = 0; i < 4; i++) total += i;
    return total == 6 && omp_get_max_threads() > 0 ? 0 : 1;
}
"""


# Where Homebrew (arm64, x86-64) and MacPorts put libomp, whose folders no compiler searches.
LIBOMP = [
    ("/opt/homebrew/opt/libomp/include", "/opt/homebrew/opt/libomp/lib"),
    ("/usr/local/opt/libomp/include", "/usr/local/opt/libomp/lib"),
    ("/opt/local/include/libomp", "/opt/local/lib/libomp"),
]


def openmp_candidates(platform):
    """Return the pairs of flags (compile, link) to try, the plainest first.

    Apple's clang parses OpenMP only as an option of its preprocessor, and has no runtime:
    libomp, on the paths that CFLAGS and LDFLAGS give, or where a package manager puts it.
    """
    apple = ["-Xpreprocessor", "-fopenmp"]
    candidates = [(["-fopenmp"], ["-fopenmp"]), (apple, ["-lomp"])]
    if platform == "darwin":
        candidates += [
            ([*apple, f"-I{include}"], [f"-L{lib}", "-lomp"])
            for include, lib in LIBOMP
            if Path(lib).is_dir()
        ]
    return candidates


def openmp_flags(compiler, candidates):
    """Return the first pair of flags with which a parallel program compiles, links and runs."""
    for compile_flags, link_flags in candidates:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text(PROBE)
            try:
                objects = compiler.compile(
                    [str(source)], output_dir=folder, extra_postargs=compile_flags
                )
                program = str(Path(folder, "probe"))
                compiler.link_executable(objects, program, extra_postargs=link_flags)
                subprocess.run([program], check=True, timeout=60)
            except Exception as error:
                tried = " ".join([*compile_flags, *link_flags])
                print(f"asysg: OpenMP probe with {tried} failed: {error}", file=sys.stderr)
                continue
            return compile_flags, link_flags
    return None


class BuildExt(build_ext):
    """Probe OpenMP with the compiler that will be used, then build on all cores."""

    def finalize_options(self):
        super().finalize_options()
        if self.parallel is None:
            self.parallel = os.cpu_count()

    def build_extensions(self):
        openmp = ([], [])
        if MODE != "off":
            openmp = openmp_flags(self.compiler, openmp_candidates(sys.platform))
        if openmp is None:
            if MODE == "require":
                raise SystemExit(
                    "ASYSG_OPENMP=require, but no program using OpenMP could be built."
                )
            print("asysg: OpenMP not found; the build runs one thread only", file=sys.stderr)
            openmp = ([], [])
        sanitizers = [flag for flag in FLAGS if flag.startswith("-fsanitize=")]
        for extension in self.extensions:
            extension.extra_compile_args = [*FLAGS, *openmp[0]]
            extension.extra_link_args = [*sanitizers, *openmp[1]]
        super().build_extensions()


def extension(name):
    return Extension(
        f"asysg._core.{name}",
        [str(CORE / f"{name}.pyx")],
        include_dirs=[np.get_include(), str(CORE)],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        depends=sorted(map(str, [*CORE.glob("*.h"), *CORE.glob("*.pxd")])),
    )


# Guarded, so that the tests can import the probe.
if __name__ == "__main__":
    setup(
        ext_modules=cythonize(
            [extension(path.stem) for path in sorted(CORE.glob("*.pyx"))],
            # On all cores, where processes start as copies of this one.
            nthreads=(os.cpu_count() or 0) if sys.platform == "linux" else 0,
            compiler_directives={
                "language_level": 3,
                "boundscheck": False,
                "wraparound": False,
                "cdivision": True,
                "initializedcheck": False,
                "embedsignature": True,
            },
        ),
        cmdclass={"build_ext": BuildExt},
    )
