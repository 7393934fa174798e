"""Builds of the package in folders of their own: sound ones, and ones with a seeded fault.

A sanitizer that reports nothing has shown nothing until it has reported a fault of the kind it
is there for. The faults below are put into a copy of the sources, never into the package.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
SOURCES = ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "asysg", "theory")
COMPILER = os.environ.get("CC", "gcc")
#: What each sanitizer's build is linked with.
RUNTIME = {"thread": ("libtsan.so",), "address": ("libasan.so", "libubsan.so")}
#: What a process exits with after a report.
REPORTED = 66


class Missing(RuntimeError):
    """Something on this machine that a build needs is missing."""


@dataclass(frozen=True)
class Build:
    """An installed build: where it lies, and what it was made with."""

    site: Path
    sanitize: str = ""
    stress: bool = False

    @property
    def switches(self) -> dict[str, str]:
        """The environment for setup.py."""
        return {
            "ASYSG_SANITIZE": self.sanitize,
            "ASYSG_STRESS": str(int(self.stress)),
            "ASYSG_OPENMP": "require",
            **({"CC": COMPILER} if self.sanitize else {}),
        }


@dataclass(frozen=True)
class Fault:
    """A mistake in ``asysg/_core/<file>``, which must contain `old` exactly once.

    Only files that the module `threads` alone is made of can be changed here, because a faulty
    build compiles nothing else again.
    """

    file: str
    old: str
    new: str


FAULTS = {
    "plain read": Fault(
        "atomic.h", "__atomic_load(p, &value, __ATOMIC_RELAXED);", "value = *(volatile double *)p;"
    ),
    "lock without release": Fault(
        "atomic.h",
        "__atomic_store_n(&lock->value, 0, __ATOMIC_RELEASE);",
        "__atomic_store_n(&lock->value, 0, __ATOMIC_RELAXED);",
    ),
    "one entry too many": Fault(
        "worker.pxd",
        "        for j in range(r.f.n):\n            me.xhat[j] = asysg_load(&r.x[j])",
        "        for j in range(r.f.n + 1):\n            me.xhat[j] = asysg_load(&r.x[j])",
    ),
    "bits of zero": Fault("worker.pxd", "return delay == 0 ? 0 : 64", "return 64"),
    "bound checked too early": Fault(
        "clock.h",
        "    while (asysg_clock_delay(k, start, count) <= max_delay)\n",
        "    if (asysg_clock_delay(k, start, count) <= max_delay)\n"
        "        return __atomic_fetch_add(&c->now->value, count, __ATOMIC_SEQ_CST);\n"
        "    while (0)\n",
    ),
    "merge without the lock": Fault(
        "replica.pxd", "        asysg_lock(&r.locks[i])\n        if forget:", "        if forget:"
    ),
    "start looked up after the merge": Fault(
        "replica.pxd",
        "            asysg_clock_done(&r.clock, w)\n            keep(",
        "            asysg_clock_done(&r.clock, w)\n"
        "            following = asysg_clock_start(&r.clock)\n            keep(",
    ),
    "lock that lets everyone in": Fault(
        "atomic.h",
        "if (!__atomic_exchange_n(&lock->value, 1, __ATOMIC_ACQUIRE))",
        "if (__atomic_exchange_n(&lock->value, 1, __ATOMIC_ACQUIRE) >= 0)",
    ),
}


def call(*command: str | Path, cwd: Path, **env: str) -> None:
    """Run a command that must succeed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | env,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(map(str, command))}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )


def sources(folder: Path) -> Path:
    """Copy what a build needs, so that builds with other flags cannot meet."""
    folder.mkdir(parents=True)
    leave_out = shutil.ignore_patterns("*.so", "*.c", "__pycache__")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=leave_out)
        else:
            shutil.copy(ROOT / name, folder)
    return folder


def build(folder: Path, sanitize: str = "", stress: bool = False) -> Build:
    """Install the package, built so, into ``folder / "site"``."""
    made = Build(folder / "site", sanitize, stress)
    for name in RUNTIME.get(sanitize, ()):
        library(name)
    call(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps"),
        *("--no-index", "--disable-pip-version-check", "--target", made.site, "."),
        cwd=sources(folder / "sources"),
        **made.switches,
    )
    return made


def seed(sound: Build, folder: Path, name: str) -> Build:
    """Return a copy of a build in which the module `threads` has the fault."""
    fault = FAULTS[name]
    made = Build(folder / "site", sound.sanitize, sound.stress)
    shutil.copytree(sound.site, made.site)
    core = sources(folder / "sources") / "asysg" / "_core"
    text = (core / fault.file).read_text()
    if text.count(fault.old) != 1:
        raise RuntimeError(f"{fault.file} must contain once what {name!r} replaces: {fault.old}")
    (core / fault.file).write_text(text.replace(fault.old, fault.new))
    for path in core.glob("*.pyx"):
        if path.name != "threads.pyx":
            path.unlink()
    call(
        *(sys.executable, "setup.py", "--quiet", "build_ext", "--build-lib", made.site),
        cwd=core.parents[1],
        **made.switches,
    )
    return made


def library(name: str) -> str:
    """Return where the compiler keeps a library."""
    try:
        found = subprocess.run(
            [*COMPILER.split(), f"-print-file-name={name}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise Missing(f"CC must be GCC, got {COMPILER!r}: {error}. Set CC=gcc.") from error
    if not Path(found).is_absolute():
        raise Missing(f"{COMPILER} has no {name}. Install the sanitizers of GCC.")
    return found


def regions(folder: Path) -> str:
    """Compile ``regions.c`` and return its path."""
    target = folder / "regions.so"
    if not target.exists():
        call(
            *(*COMPILER.split(), "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"),
            *("-o", target, HERE / "regions.c", "-Wl,--no-as-needed", "-lgomp", "-ldl"),
            cwd=folder,
        )
    return str(target)


@dataclass(frozen=True)
class Ran:
    """What a process under a sanitizer did; `reports` holds the whole text of each report."""

    code: int
    output: str
    reports: list[str]


def python(built: Build, *args: str | Path, cwd: Path = HERE) -> Ran:
    """Run Python with this build, under its sanitizer."""
    # Reports go to files, one a process: output may be captured, and a child's be lost. But
    # UBSan, beside AddressSanitizer, knows only the output; it ends the process.
    log = built.site.parent / "reports"
    shutil.rmtree(log, ignore_errors=True)
    log.mkdir()
    done = subprocess.run(
        [*steady(built), sys.executable, *map(str, args)],
        cwd=cwd,
        env=os.environ | environment(built, log / "report"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    texts = [done.stdout, *(path.read_text() for path in log.iterdir())]
    return Ran(done.returncode, done.stdout, split(texts))


def split(texts: Iterable[str]) -> list[str]:
    """Return the reports one by one."""
    sign = re.compile(
        r"^(?=.*(?:WARNING: ThreadSanitizer|ERROR: AddressSanitizer|runtime error:))", re.M
    )
    return [part for text in texts for part in sign.split(text)[1:]]


def environment(built: Build, log: Path) -> dict[str, str]:
    """Return the variables with which Python imports this build under its sanitizer."""
    env = {
        # Not the sources in the current folder.
        "PYTHONPATH": str(built.site),
        "PYTHONSAFEPATH": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        # NumPy's own threads have no part in this.
        "OPENBLAS_NUM_THREADS": "1",
    }
    common = f"exitcode={REPORTED} log_path={log}"
    if built.sanitize == "thread":
        env["LD_PRELOAD"] = f"{library('libtsan.so')} {regions(built.site.parent)}"
        # Python and NumPy were not compiled with ThreadSanitizer, which would see their calls of
        # memcpy and the like without the locks around them; the package was, and is seen whole.
        # The package gives its threads back before a fork, so a child may start its own.
        env["TSAN_OPTIONS"] = f"{common} ignore_noninstrumented_modules=1 die_after_fork=0"
    if built.sanitize == "address":
        # AddressSanitizer stands before the throw of C++, and must find it when Python starts.
        env["LD_PRELOAD"] = f"{library('libasan.so')} {library('libstdc++.so.6')}"
        # Python keeps memory at exit by design. Its small objects must come from malloc, or
        # AddressSanitizer would see one large block instead of them.
        env["ASAN_OPTIONS"] = f"{common} detect_leaks=0"
        env["UBSAN_OPTIONS"] = f"exitcode={REPORTED} print_stacktrace=1"
        env["PYTHONMALLOC"] = "malloc"
    return env


def steady(built: Build) -> list[str]:
    """Return a prefix that lessens address randomisation where ThreadSanitizer cannot bear it."""
    bits = Path("/proc/sys/vm/mmap_rnd_bits")
    if built.sanitize == "thread" and bits.exists() and int(bits.read_text()) > 28:
        return ["setarch", "-R"]
    return []
