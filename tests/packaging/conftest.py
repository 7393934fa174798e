"""One sdist and two wheels, built once, without the network and away from the sources."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: What a checkout may contain that belongs to no release.
LEFT_OUT = shutil.ignore_patterns(
    ".git",
    ".venv*",
    "build",
    "dist",
    "*.egg-info",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
    ".benchmarks",
    "_build",
    "generated",
    "gallery",
    "*.so",
    "*.c",
)


def python(*args: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run this interpreter elsewhere, and hand back what it said."""
    return subprocess.run(
        [sys.executable, *args], cwd=cwd, env=os.environ | env, capture_output=True, text=True
    )


def backend(call: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Call the build backend as an installer would, with what is installed here."""
    return python("-c", f"import setuptools.build_meta as backend; backend.{call}", cwd=cwd, **env)


def succeed(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="session")
def sdist(tmp_path_factory) -> Path:
    """The sdist of a copy of the sources, so that no earlier build can fill a gap."""
    folder = tmp_path_factory.mktemp("sdist")
    shutil.copytree(ROOT, folder / "copy", ignore=LEFT_OUT)
    succeed(backend(f"build_sdist({str(folder)!r})", folder / "copy"))
    (archive,) = folder.glob("asysg-*.tar.gz")
    return archive


@pytest.fixture(scope="session")
def unpack(sdist, tmp_path_factory) -> Callable[[], Path]:
    """Return a function that unpacks the sdist into a fresh folder."""

    def fresh() -> Path:
        with tarfile.open(sdist) as archive:
            folder = tmp_path_factory.mktemp("unpacked")
            # Python 3.11.0 to 3.11.3 know no filters.
            safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            archive.extractall(folder, **safely)
        (top,) = folder.iterdir()
        return top

    return fresh


@pytest.fixture(scope="session")
def build_wheel(unpack) -> Callable[[str], Path]:
    """Return a function that builds a wheel from the unpacked sdist."""

    def build(openmp: str) -> Path:
        top = unpack()
        succeed(backend("build_wheel('.')", top, ASYSG_OPENMP=openmp))
        (wheel,) = top.glob("*.whl")
        return wheel

    return build


@pytest.fixture(scope="session")
def installed(tmp_path_factory) -> Callable[[Path], Path]:
    """Return a function that installs a wheel into a folder of its own."""

    def install(wheel: Path) -> Path:
        target = tmp_path_factory.mktemp("site")
        succeed(
            python(
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-index",
                "--no-deps",
                "--disable-pip-version-check",
                "--target",
                str(target),
                str(wheel),
                cwd=target,
            )
        )
        return target

    return install


@pytest.fixture(scope="session")
def wheel(build_wheel) -> Path:
    """The wheel with OpenMP as far as this machine has it."""
    return build_wheel("auto")


@pytest.fixture(scope="session")
def site(wheel, installed) -> Path:
    """Where that wheel is installed."""
    return installed(wheel)


@pytest.fixture(scope="session")
def serial_site(build_wheel, installed) -> Path:
    """Where a wheel built with ASYSG_OPENMP=off is installed."""
    return installed(build_wheel("off"))


@pytest.fixture(scope="session")
def run_python():
    """`python`, for tests: they cannot import from here."""
    return python


@pytest.fixture(scope="session")
def call_backend():
    """`backend`, for tests."""
    return backend


@pytest.fixture(scope="session")
def run_json():
    """Return a function that runs a program against a site and reads the JSON it prints."""

    def run(program: str, cwd: Path, site: Path):
        return json.loads(succeed(python("-c", program, cwd=cwd, PYTHONPATH=str(site))))

    return run
