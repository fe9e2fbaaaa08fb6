"""The layers: who may import whom, and what an import or an installation brings with it.

Imports run one way, `mechkit` -> `solvers`, `proofs`, `learners`, and downwards inside `mechkit`.
Every import is read with `ast`, those inside functions and behind TYPE_CHECKING included, so that
a rule is kept by the text of a file and not by the order in which a run happens to load it.
"""

import ast
import graphlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
ROOF = "mechkit"
PILLARS = ("solvers", "proofs", "learners")
PACKAGES = (ROOF, *PILLARS)
# Kept beside the packages and not installed with them: no package may lean on these.
UNINSTALLED = ("tests", "benchmarks")

# Top to bottom. A file or subpackage of mechkit imports only from rows below its own; the files
# of one subpackage may import one another. `__init__` is the public face of the rows below it.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("__main__",),
    ("cli",),
    ("rechecks", "best", "auditing", "deriving", "learning"),
    ("__init__",),
    ("standings",),
    ("learned", "training"),
    ("deployed",),
    ("audit", "testing", "report", "exhibit", "derivation", "portrait"),
    ("gym",),
    ("instances", "markets", "environments"),
    ("story", "witness", "sources", "grouped"),
    ("catalogue",),
    ("papers",),
    ("book",),
    ("verify", "optimal", "sides"),
    ("rounds",),
    ("search", "shrink", "prove", "interim"),
    ("replay", "sampling"),
    ("properties",),
    ("margins",),
    ("verdict", "deviations"),
    ("expectations", "tabled"),
    ("views",),
    ("mechanism",),
    ("ranked", "optimum"),
    ("constructors", "groves", "first_best"),
    ("settings",),
    ("priors",),
    ("spaces",),
    ("pictures",),
    ("workers", "pages", "terminal", "options", "starter", "lazy", "saved", "data"),
    ("errors",),
)

HEAVY = frozenset(
    {"cvc5", "cvxpy", "gymnasium", "highspy", "hmmlearn", "hypothesis", "matplotlib", "mpmath"}
    | {"pettingzoo", "pyomo", "stable_baselines3", "sympy", "tensorboard", "torch", "z3"}
)
# The file or package that is built on a heavy library may import it at module level.
BUILT_ON = {
    "mechkit.testing": {"hypothesis"},
    "mechkit.gym": {"gymnasium"},
    "proofs.games": {"sympy"},
    "learners.networks": {"torch"},
    "learners.replay": {"torch"},
    "learners.discrete_sac": {"torch"},
    "learners.diffusion": {"torch"},
    "learners.gpt": {"torch"},
    "learners.cloning": {"torch"},
    "learners.baselines": {"stable_baselines3", "torch"},
    "learners.stable": {"stable_baselines3", "torch"},
    "learners.adapters": {"gymnasium", "pettingzoo", "stable_baselines3"},
}
# mpmath is small enough to come with the core; it is heavy to import and light to install.
INSTALLED_WITH_CORE = {"mpmath"}


@dataclass(frozen=True)
class Import:
    """One import: by whom, where, of what, and whether importing the source runs it."""

    source: str
    file: str
    line: int
    target: str
    eager: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.target}"


@dataclass(frozen=True)
class Tree:
    """Modules (dotted name -> file relative to the root) and the imports that they make."""

    modules: dict[str, str]
    imports: tuple[Import, ...]

    def own(self, target: str) -> str | None:
        """The module of this tree that `target` names or lies in, or None for a library."""
        parts = target.split(".")
        prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next((prefix for prefix in prefixes if prefix in self.modules), None)


def read_tree(root: Path) -> Tree:
    """Every module of the packages under `root`, and every import written in them."""
    files = {
        module_name(path.relative_to(root)): path.relative_to(root)
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
    }
    imports = []
    for module, file in files.items():
        parsed = ast.parse((root / file).read_text(encoding="utf-8"), filename=str(file))
        package = module if file.name == "__init__.py" else module.rpartition(".")[0]
        for node, eager in walk(parsed):
            for target in reached(node, package):
                line = getattr(node, "lineno", 0)
                imports.append(Import(module, file.as_posix(), line, target, eager))
    return Tree({name: file.as_posix() for name, file in files.items()}, tuple(imports))


def module_name(file: Path) -> str:
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def reached(node: ast.AST, package: str) -> list[str]:
    """The dotted names that `node`, if it is an import, reaches; relative ones made absolute.

    `import_module("...")` and `__import__("...")` count where the name is written out.
    """
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=stem, names=names, level=level):
            base = absolute(stem or "", level, package)
            return [f"{base}.{alias.name}" for alias in names]
        case ast.Call(
            func=ast.Name(id="__import__" | "import_module") | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str(name)), *_],
        ):
            stem = name.lstrip(".")
            return [absolute(stem, len(name) - len(stem), package)]
    return []


def absolute(stem: str, level: int, package: str) -> str:
    if level == 0:
        return stem
    parents = package.split(".")
    return ".".join([*parents[: len(parents) - level + 1], *([stem] if stem else [])])


def walk(node: ast.AST, *, eager: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """`node` and all below it, each with whether it runs when the module is imported."""
    yield node, eager
    if isinstance(node, ast.If) and is_type_checking(node.test):
        for statement in node.body:
            yield from walk(statement, eager=False)
        for statement in node.orelse:
            yield from walk(statement, eager=eager)
        return
    inside = eager and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for child in ast.iter_child_nodes(node):
        yield from walk(child, eager=inside)


def is_type_checking(test: ast.expr) -> bool:
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
    return False


# The rules: each takes a tree and returns what breaks it, one line for each.


def pillars_leaning(tree: Tree) -> list[str]:
    """A pillar that imports the roof or another pillar, or anybody what is uninstalled."""
    broken = []
    for imported in tree.imports:
        source, target = imported.source.split(".")[0], imported.target.split(".")[0]
        if source in PILLARS and target in PACKAGES and target != source:
            broken.append(f"{imported}: {source} must be usable without {target}")
        if target in UNINSTALLED:
            broken.append(f"{imported}: {target} is not installed with {source}")
    return broken


def unit(module: str) -> str:
    """The row entry of a module of mechkit: `mechkit.catalogue.auctions` -> `catalogue`."""
    return module.split(".")[1] if "." in module else "__init__"


def unplaced(tree: Tree) -> list[str]:
    """Files of mechkit that are in no row of the table."""
    known = {name for row in LAYERS for name in row}
    return [
        f"{file} is in no layer: place {unit(module)!r} in LAYERS, above all that it imports"
        for module, file in tree.modules.items()
        if module.split(".")[0] == ROOF and unit(module) not in known
    ]


def upward(tree: Tree) -> list[str]:
    """Imports inside mechkit that do not go down the table."""
    depth = {name: row for row, names in enumerate(LAYERS) for name in names}
    broken = []
    for imported in tree.imports:
        target = tree.own(imported.target)
        if target is None or {imported.source.split(".")[0], target.split(".")[0]} != {ROOF}:
            continue
        above, below = unit(imported.source), unit(target)
        if above not in depth or below not in depth or above == below:
            continue
        if depth[below] <= depth[above]:
            broken.append(f"{imported}: {below!r} is not in a layer below {above!r}")
    return broken


def circles(tree: Tree) -> list[str]:
    """A circle of imports among files, if there is one; imports inside functions count."""
    graph: dict[str, set[str]] = {module: set() for module in tree.modules}
    for imported in tree.imports:
        target = tree.own(imported.target)
        if target is not None and target != imported.source:
            graph[imported.source].add(target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        # graphlib lists each module before those that import it.
        return [" imports ".join(reversed(error.args[1]))]
    return []


def heavy_at_once(tree: Tree) -> list[str]:
    """Heavy libraries that are imported at module level by a file not built on them."""
    broken = []
    for imported in tree.imports:
        library = imported.target.split(".")[0]
        built_on = {
            name
            for owner, names in BUILT_ON.items()
            if f"{imported.source}.".startswith(f"{owner}.")
            for name in names
        }
        if imported.eager and library in HEAVY - built_on:
            broken.append(f"{imported} at module level: import {library} inside the function")
    return broken


RULES = (pillars_leaning, unplaced, upward, circles, heavy_at_once)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_rule(rule):
    tree = read_tree(ROOT)
    assert {module.split(".")[0] for module in tree.modules} == set(PACKAGES)
    broken = rule(tree)
    assert not broken, "\n" + "\n".join(broken)


GOOD = {
    "mechkit/__init__.py": "from mechkit.verify import verify\nfrom . import mechanism\n",
    "mechkit/cli.py": "import numpy\ndef main():\n    import mechkit\n",
    "mechkit/testing.py": "import hypothesis\nfrom mechkit import verify\n",
    "mechkit/verify.py": "from mechkit.mechanism import x\nimport proofs\n",
    "mechkit/mechanism.py": "import typing\nif typing.TYPE_CHECKING:\n    import sympy\n",
    "mechkit/catalogue/__init__.py": "from mechkit.catalogue import auctions\n",
    "mechkit/catalogue/auctions.py": "from ..verify import verify\n",
    "solvers/__init__.py": "from solvers.trade import gains\n",
    "solvers/trade.py": "def gains():\n    import pyomo\n    from . import matching\n",
    "solvers/matching.py": "",
    "proofs/__init__.py": "def smt():\n    import z3\n",
    "learners/__init__.py": "",
}


def plant(root: Path, files: dict[str, str]) -> Tree:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return read_tree(root)


def test_a_good_tree_breaks_no_rule(tmp_path):
    tree = plant(tmp_path, GOOD)
    assert [rule(tree) for rule in RULES] == [[]] * len(RULES)


@pytest.mark.parametrize(
    ("file", "text", "rule", "message"),
    [
        ("solvers/bad.py", "import mechkit.settings", pillars_leaning, "without mechkit"),
        ("solvers/bad.py", "def f():\n    from proofs import x", pillars_leaning, "bad.py:2"),
        ("proofs/a/b/bad.py", "from learners import x", pillars_leaning, "without learners"),
        ("learners/bad.py", "__import__('solvers')", pillars_leaning, "without solvers"),
        ("proofs/bad.py", "from tests.helpers import x", pillars_leaning, "not installed"),
        ("mechkit/bad.py", "", unplaced, "mechkit/bad.py is in no layer: place 'bad'"),
        ("mechkit/bad/deep.py", "", unplaced, "place 'bad'"),
        ("mechkit/mechanism.py", "from . import cli", upward, "'cli' is not in a layer below"),
        ("mechkit/mechanism.py", "from .catalogue.auctions import x", upward, "'catalogue'"),
        ("mechkit/mechanism.py", "def f():\n    import mechkit.verify", upward, "mechanism.py:2"),
        ("mechkit/mechanism.py", "import mechkit", upward, "'__init__'"),
        ("mechkit/search.py", "from mechkit import shrink", upward, "is not in a layer"),
        ("mechkit/catalogue/x.py", "from ..testing import x", upward, "'testing'"),
        ("solvers/matching.py", "from solvers import trade", circles, "solvers.trade imports"),
        ("solvers/matching.py", "def f():\n    import solvers", circles, "solvers imports"),
        ("proofs/bad.py", "import sympy", heavy_at_once, "import sympy inside the function"),
        ("proofs/bad.py", "try:\n    from z3 import Int\nfinally:\n    pass", heavy_at_once, "z3"),
        ("mechkit/verify.py", "class A:\n    import torch.nn", heavy_at_once, "verify.py:2"),
        ("mechkit/testing.py", "import sympy", heavy_at_once, "import sympy inside"),
        (
            "mechkit/verify.py",
            "import typing\nif typing.TYPE_CHECKING:\n    import z3\nelse:\n    import cvxpy",
            heavy_at_once,
            "verify.py:5 imports cvxpy",
        ),
    ],
)
def test_a_planted_fault_is_found(tmp_path, file, text, rule, message):
    (broken,) = rule(plant(tmp_path, GOOD | {file: text}))
    assert message in broken


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter loads for `statement`, by `-X importtime`."""
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", statement],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    lines = [line for line in run.stderr.splitlines() if line.startswith("import time:")]
    return {line.rsplit("|", 1)[1].strip() for line in lines}


@pytest.mark.parametrize("module", [ROOF, "mechkit.cli", *PILLARS])
def test_importing_loads_nothing_heavy(module):
    loaded = loaded_by(f"import {module}")
    assert module in loaded
    assert not {name.split(".")[0] for name in loaded} & HEAVY
    assert "scipy.stats" not in loaded


def test_a_heavy_import_shows_in_what_is_loaded():
    assert {"mpmath", "scipy.stats"} <= loaded_by("import mpmath, scipy.stats")


def requirements() -> dict[str, list[Requirement]]:
    """What pyproject.toml asks for: the core's requirements under "", and each extra's."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    return {
        group: [Requirement(line) for line in lines if not line.startswith(project["name"])]
        for group, lines in groups.items()
    }


def test_the_core_installs_nothing_heavy():
    core = {canonicalize_name(wanted.name) for wanted in requirements()[""]}
    heavy = {canonicalize_name(name) for name in HEAVY - INSTALLED_WITH_CORE}
    assert core
    assert not core & (heavy | {"z3-solver"})


def test_every_requirement_is_pinned_within_its_range():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    versions = {}
    for pin in pins:
        (specifier,) = pin.specifier
        assert specifier.operator == "==", f"{pin} is a range; constraints.txt holds exact versions"
        versions[canonicalize_name(pin.name)] = specifier.version
    assert len(versions) == len(pins), "constraints.txt names a distribution twice"
    for group in requirements().values():
        for wanted in group:
            version = versions.get(canonicalize_name(wanted.name))
            assert version is not None, f"constraints.txt has no pin for {wanted}"
            assert wanted.specifier.contains(version), f"{version} is pinned, {wanted} is asked for"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_typed(package):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert (ROOT / package / "py.typed").is_file()
    assert "py.typed" in project["setuptools"]["package-data"]["*"]
    assert package in project["setuptools"]["packages"]["find"]["include"]
