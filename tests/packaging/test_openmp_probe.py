"""Which flags for OpenMP the build settles on, for compilers that this machine has not."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APPLE = ["-Xpreprocessor", "-fopenmp"]


@pytest.fixture(scope="module")
def build():
    """The module setup.py, which builds nothing when it is imported."""
    spec = importlib.util.spec_from_file_location("asysg_setup", ROOT / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Compiler:
    """A compiler that knows some flags; what it links is a program that ends with `status`."""

    def __init__(self, compiles, links, status=0):
        self.compiles, self.links, self.status = compiles, links, status

    def compile(self, sources, output_dir, extra_postargs):
        if not self.compiles(extra_postargs):
            raise RuntimeError(f"unsupported option in {extra_postargs}")
        return [str(Path(output_dir, "probe.o"))]

    def link_executable(self, objects, program, extra_postargs):
        if not self.links(extra_postargs):
            raise RuntimeError(f"library not found with {extra_postargs}")
        Path(program).write_text(f"#!{sys.executable}\nraise SystemExit({self.status})\n")
        Path(program).chmod(0o755)


def apple(*, include: str | None, lib: str | None) -> Compiler:
    """Apple's clang; omp.h and libomp are found where said, or on paths it searches anyway."""
    return Compiler(
        lambda flags: flags[:2] == APPLE and (include is None or f"-I{include}" in flags),
        lambda flags: "-lomp" in flags and (lib is None or f"-L{lib}" in flags),
    )


def test_gcc_takes_the_plain_flag(build):
    gcc = Compiler(lambda flags: flags == ["-fopenmp"], lambda flags: flags == ["-fopenmp"])
    for platform in ("linux", "darwin"):
        found = build.openmp_flags(gcc, build.openmp_candidates(platform))
        assert found == (["-fopenmp"], ["-fopenmp"])


def test_apple_clang_with_libomp_on_its_paths(build):
    found = build.openmp_flags(apple(include=None, lib=None), build.openmp_candidates("darwin"))
    assert found == (APPLE, ["-lomp"])


def test_apple_clang_with_libomp_of_a_package_manager(build, tmp_path, monkeypatch):
    missing = (str(tmp_path / "no/include"), str(tmp_path / "no/lib"))
    include, lib = str(tmp_path / "include"), str(tmp_path / "lib")
    Path(lib).mkdir()
    monkeypatch.setattr(build, "LIBOMP", [missing, (include, lib)])
    candidates = build.openmp_candidates("darwin")
    assert not any(f"-I{missing[0]}" in flags for flags, _ in candidates)
    found = build.openmp_flags(apple(include=include, lib=lib), candidates)
    assert found == ([*APPLE, f"-I{include}"], [f"-L{lib}", "-lomp"])
    # Elsewhere than on macOS nobody looks there.
    assert (
        build.openmp_flags(apple(include=include, lib=lib), build.openmp_candidates("linux"))
        is None
    )


def test_apple_clang_without_libomp(build, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(build, "LIBOMP", [])
    clang = Compiler(lambda flags: flags[:2] == APPLE, lambda flags: False)
    assert build.openmp_flags(clang, build.openmp_candidates("darwin")) is None
    assert "library not found with ['-lomp']" in capsys.readouterr().err


def test_a_program_that_does_not_run_convicts_its_flags(build):
    broken = Compiler(lambda flags: True, lambda flags: True, status=1)
    assert build.openmp_flags(broken, build.openmp_candidates("linux")) is None
