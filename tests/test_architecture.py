"""Who may import whom: imports go down, the theory knows no code, and the front door is light."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import asysg

ROOT = Path(__file__).parents[1]

RANKS = {
    0: {"_core", "theory", "errors", "_draws", "_check", "_figures"},
    1: {"objectives", "prox", "steplengths", "result"},
    2: {
        "_adaptive",
        "_plan",
        "_checkpoint",
        "_evidence",
        "_monitor",
        "_progress",
        "_proximal",
        "_recorder",
        "_run",
        "_served",
        "_single",
        "_skip",
        "_update",
    },
    3: {"_minimize", "simulate", "mpi"},
    4: {
        "cli",
        "verify",
        "figures",
        "sklearn",
        "_files",
        "_plot",
        "_conflicts",
        "_trials",
        "diagnosis",
        "__main__",
    },
}
RANK = {part: rank for rank, parts in RANKS.items() for part in parts}


def sources(*suffixes: str) -> dict[str, Path]:
    """Return every source file of ours by its dotted module name."""
    found = {}
    for package, folder in {"asysg": ROOT / "asysg", "asysg.theory": ROOT / "theory"}.items():
        for path in folder.rglob("*"):
            if path.suffix in suffixes:
                parts = [package, *path.relative_to(folder).with_suffix("").parts]
                found[".".join(part for part in parts if part != "__init__")] = path
    return found


def absolute(module: str, is_package: bool, level: int, target: str | None) -> str:
    """Resolve a relative import."""
    if level == 0:
        return target or ""
    base = module.split(".")[: len(module.split(".")) - level + is_package]
    return ".".join([*base, target] if target else base)


def imports(module: str, path: Path, *, at_runtime: bool = False) -> set[str]:
    """Return the dotted names a Python file imports; `at_runtime` leaves out TYPE_CHECKING."""
    found = set()
    tree = ast.parse(path.read_text())
    ignored = {
        id(inner)
        for node in ast.walk(tree)
        if at_runtime and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in ignored:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = absolute(module, path.name == "__init__.py", node.level, node.module)
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


def cimports(module: str, path: Path) -> set[str]:
    """Return the dotted names a Cython file imports, at C level or at Python's."""
    text = path.read_text()
    found = set(re.findall(r"^c?import ([\w.]+)", text, flags=re.M))
    for dots, name in re.findall(r"^\s*from (\.*)([\w.]*) c?import", text, flags=re.M):
        found.add(absolute(module, False, len(dots), name))
    return found


def part(name: str) -> str | None:
    """Return the part of the house a dotted name lies in; None if it is not ours."""
    parts = name.split(".")
    return parts[1] if parts[0] == "asysg" and len(parts) > 1 else None


def edges() -> set[tuple[str, str]]:
    """Return (module, part imported) for every import inside the package that is really made.

    What is named for the type checker alone (TYPE_CHECKING) couples nothing at run time.
    """
    python = {(m, t) for m, p in sources(".py").items() for t in imports(m, p, at_runtime=True)}
    cython = {(m, t) for m, p in sources(".pyx", ".pxd").items() for t in cimports(m, p)}
    # The front door names everything, lazily: what it costs is measured below.
    return {
        (module, part(target))
        for module, target in python | cython
        if module != "asysg" and part(target) in RANK
    }


def test_every_part_has_a_rank():
    assert {part(module) for module in sources(".py", ".pyx")} - {None} <= set(RANK)


def test_imports_go_down():
    found = edges()
    assert len(found) > 20
    assert [(m, t) for m, t in sorted(found) if RANK[t] > RANK[part(m)]] == []


def test_no_circles_between_parts_of_one_rank():
    graph: dict[str, set[str]] = {}
    for module, path in sources(".py").items():
        if module != "asysg":
            targets = {part(name) for name in imports(module, path, at_runtime=True)}
            graph.setdefault(part(module), set()).update((targets & set(RANK)) - {part(module)})
    while graph:
        free = {name for name, targets in graph.items() if not targets & set(graph)}
        assert free, f"these import each other in a circle: {sorted(graph)}"
        graph = {name: targets for name, targets in graph.items() if name not in free}


def test_theory_imports_nothing_of_ours_but_itself():
    modules = sources(".py")
    theory = {name: path for name, path in modules.items() if part(name) == "theory"}
    assert theory
    allowed = set(sys.stdlib_module_names) | {"numpy", "scipy"}
    for name, path in theory.items():
        outside = {t for t in imports(name, path) if not t.startswith("asysg.theory")}
        assert {t.split(".")[0] for t in outside} <= allowed, name
        written = [
            n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)
        ]
        assert all(n.level or not n.module.startswith("asysg") for n in written), name


def test_core_imports_nothing_above_it():
    for name, path in sources(".pyx", ".pxd").items():
        assert {part(t) for t in cimports(name, path)} <= {None, "_core", "errors"}, name


def test_no_module_bears_the_name_of_a_public_function():
    """A submodule, once imported, would overwrite the function of its name."""
    lazy = {name for name in asysg.__all__ if not isinstance(getattr(asysg, name), type(asysg))}
    modules = sources(".py", ".pyx")
    assert lazy
    assert {f"asysg.{name}" for name in lazy} & set(modules) == set()
    for module, path in modules.items():
        if path.name == "__init__.py" and module != "asysg":
            public = {
                alias.asname or alias.name
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.ImportFrom) and node.module and node.level
                for alias in node.names
            }
            assert {f"{module}.{name}" for name in public} & set(modules) == set(), module


def loaded(program: str, cwd: Path) -> dict[str, str]:
    """Run a program elsewhere and return the modules it loaded, with their files."""
    program += (
        "\nimport json, sys"
        "\nprint(json.dumps({n: str(getattr(m, '__file__', '')) for n, m in sys.modules.items()}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=cwd, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_asysg_or_its_theory_loads_no_compiled_code(tmp_path):
    for program in ("import asysg", "import asysg.theory", "import asysg; asysg.theory.con"):
        modules = loaded(program, tmp_path)
        assert "asysg" in modules
        assert [n for n in modules if n.startswith("asysg._core")] == []
        assert {"matplotlib", "joblib", "sklearn", "tqdm"} & set(modules) == set()


def test_importing_the_runner_loads_no_drawing_and_no_estimators(tmp_path):
    modules = loaded("import asysg; asysg.minimize, asysg.simulate", tmp_path)
    assert "asysg._core.threads" in modules
    assert {"matplotlib", "sklearn"} & set(modules) == set()


def test_theory_at_the_root_of_the_tree_is_asysg_theory():
    """The folder theory/ on sys.path must not become a second copy with other classes."""
    program = """
import theory, asysg.theory, theory.con, asysg
assert theory is asysg.theory, (theory, asysg.theory)
assert theory.ProblemConstants is asysg.theory.ProblemConstants
assert theory.con is asysg.theory.con
assert asysg.InvalidArgument is theory.InvalidArgument
"""
    modules = loaded(program, ROOT)
    files = [file for name, file in modules.items() if name.split(".")[0] in ("theory", "asysg")]
    assert {Path(file).parent for file in files if "theory" in file} == {ROOT / "theory"}
