"""What is shipped is complete, holds nothing else, and works from another folder."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from asysg._core.openmp import openmp_version

ROOT = Path(__file__).parents[2]
CORE = ROOT / "asysg" / "_core"
COMPILED = sorted(path.stem for path in CORE.glob("*.pyx"))

RUN = """
import json, numpy as np, asysg
from asysg import theory
from asysg._core.openmp import openmp_version
obj = asysg.objectives.SigmoidRegression.planted(50, 5, rng=0)
res = asysg.minimize(obj, np.zeros(5), steplength=0.1, n_updates=1000, n_threads={threads}, rng=0)
print(json.dumps([asysg.__file__, theory.__file__, openmp_version(), res.nit, res.n_threads_used]))
"""


@pytest.fixture(scope="module")
def shipped(sdist) -> set[str]:
    with tarfile.open(sdist) as archive:
        names = [member.name for member in archive if member.isfile()]
    return {name.split("/", 1)[1] for name in names}


@pytest.fixture(scope="module")
def packed(wheel) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_sdist_holds_every_source(shipped):
    wanted = {
        str(path.relative_to(ROOT))
        for folder, patterns in {
            "asysg": ("*.py", "*.pyx", "*.pxd", "*.h", "*.pyi", "py.typed"),
            "theory": ("*.py", "py.typed"),
            "tests": ("*.py", "*.md"),
        }.items()
        for pattern in patterns
        for path in (ROOT / folder).rglob(pattern)
    }
    top = ["setup.py", "pyproject.toml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md"]
    wanted.update([*top, "CITATION.cff", "LICENSE", ".ci/run", "docs/conf.py", "docs/index.rst"])
    assert wanted - shipped == set()


def test_sdist_holds_nothing_generated(shipped):
    assert [name for name in shipped if name.endswith((".c", ".so", ".pyc", ".html"))] == []
    assert [name for name in shipped if name.startswith(("build/", "docs/_build/"))] == []


def test_wheel_holds_every_module_and_no_source_of_c(packed):
    assert COMPILED
    for name in COMPILED:
        assert any(
            file.startswith(f"asysg/_core/{name}.") and file.endswith(".so") for file in packed
        )
        assert f"asysg/_core/{name}.pyi" in packed
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "asysg").rglob("*.py")}
    modules |= {f"asysg/{path.relative_to(ROOT)}" for path in (ROOT / "theory").rglob("*.py")}
    assert modules - packed == set()
    assert {"asysg/py.typed", "asysg/theory/py.typed"} <= packed
    assert [file for file in packed if file.endswith((".c", ".pyx"))] == []


def test_wheel_claims_no_name_but_asysg(packed):
    tops = {file.split("/")[0] for file in packed}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"asysg"}


def test_installed_wheel_runs_from_another_folder(site, tmp_path, run_json):
    package, theory, _, nit, threads = run_json(RUN.format(threads=1), tmp_path, site)
    assert Path(package) == site / "asysg" / "__init__.py"
    assert Path(theory) == site / "asysg" / "theory" / "__init__.py"
    assert (nit, threads) == (1000, 1)


def test_wheel_has_the_openmp_that_this_build_has(site, tmp_path, run_json):
    threads = 2 if openmp_version() else 1
    _, _, version, nit, used = run_json(RUN.format(threads=threads), tmp_path, site)
    assert (version, nit, used) == (openmp_version(), 1000, threads)


def test_build_without_openmp_runs_one_thread(serial_site, tmp_path, run_json):
    package, _, version, nit, threads = run_json(RUN.format(threads=1), tmp_path, serial_site)
    assert Path(package).is_relative_to(serial_site)
    assert (version, nit, threads) == (0, 1000, 1)


def test_build_without_openmp_refuses_two_threads(serial_site, tmp_path, run_python):
    done = run_python("-c", RUN.format(threads=2), cwd=tmp_path, PYTHONPATH=str(serial_site))
    assert done.returncode != 0
    assert "InvalidArgument: n_threads must be 1 in a build without OpenMP, got 2." in done.stderr


@pytest.mark.parametrize(
    ("switch", "known"),
    [
        ("ASYSG_OPENMP", "auto, require or off"),
        ("ASYSG_SANITIZE", "thread or address"),
        ("ASYSG_STRESS", "0 or 1"),
    ],
)
def test_unknown_value_of_a_switch_is_refused(unpack, call_backend, switch, known):
    done = call_backend("build_wheel('.')", unpack(), **{switch: "bogus"})
    assert done.returncode != 0
    assert f"{switch} must be {known}, got 'bogus'." in done.stderr


def test_bare_sources_say_that_they_must_be_installed(tmp_path):
    shutil.copytree(ROOT / "asysg", tmp_path / "asysg", ignore=shutil.ignore_patterns("*.so"))
    # -S: without what is installed.
    command = [sys.executable, "-S", "-c", "import asysg"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"must be installed, got its bare sources in {tmp_path / 'asysg'}" in done.stderr
