"""What the core can say to a person, read from its source: refusals, warnings, and what a job is doing.

A message is told by its literal parts, with `{}` for each value. Found are the texts

- of every `raise` of an error of the tree, and where one is put together from parts, those of the functions
  and constants that it names and of the function that it stands in;
- that are handed over as `warning`, `warnings` or `problem`, or added to a list of that name;
- that `progress` is told, or `check_budget`: what would fit.

What only the command says (`recsys_core/cli`) is no part of it: no page runs it.
"""

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

CORE = Path(__file__).resolve().parents[1] / "recsys_core"
ERRORS = {
    *("RecsysError", "DataError", "ConfigError", "NotFoundError", "NotTrainedError", "StoreError"),
    *("CancelledError", "ValueError", "FloatingPointError"),
}
LISTS = ("warning", "problem", "unknown", "malformed")
HANDED = ("warning", "warnings", "problem", "problems", "error")  # keywords whose value is a message
MAKERS = ("unusable", "unreadable", "not_found", "bounds")  # functions that make errors or parts of them
FEWEST_WORDS = 3  # of a text that is a sentence, or a good part of one


def core_messages() -> dict[str, str]:
    """Every message by its literal parts, with a place that says it."""
    found: dict[str, str] = {}
    for path, tree in _modules():
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        for node in _sayings(tree):
            for text in _templates(node, functions):
                found.setdefault(text, f"{path.relative_to(CORE.parent)}:{node.lineno}")
    return {text: place for text, place in found.items() if _is_said(text)}


def core_texts() -> tuple[set[str], str]:
    """Every text of the core with `{}` for each value, whether it is a message or not; and its source."""
    texts = {template(node) for _, tree in _modules() for node in ast.walk(tree)}
    source = "\n".join(path.read_text(encoding="utf-8") for path, _ in _modules())
    return {text for text in texts if text is not None}, source


def template(node: ast.AST) -> str | None:
    """A text with `{}` for each value; None for what is no text, or all of it made elsewhere."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = template(node.left), template(node.right)
        return None if left is None and right is None else f"{left or '{}'}{right or '{}'}"
    return None


def _sayings(tree: ast.Module) -> Iterator[ast.expr]:
    """Expressions whose texts a person may come to read."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            name = _name(node.exc.func)
            if name in ERRORS:
                yield from node.exc.args[:1]
            elif name.islower():  # a function that makes the error
                yield node.exc
        elif isinstance(node, ast.Call):
            yield from _handed_over(node)
        elif isinstance(node, ast.Assign | ast.AugAssign) and _is_list(_target(node)):
            yield node.value


def _handed_over(call: ast.Call) -> Iterator[ast.expr]:
    yield from (keyword.value for keyword in call.keywords if keyword.arg in HANDED)
    name = _name(call.func)
    if name == "append" and isinstance(call.func, ast.Attribute) and _is_list(call.func.value):
        yield from call.args
    if name in ("progress", "check_budget") and len(call.args) == 2:
        yield call.args[1]


def _target(node: ast.Assign | ast.AugAssign) -> ast.expr:
    return node.targets[0] if isinstance(node, ast.Assign) else node.target


def _is_list(node: ast.expr) -> bool:
    return _name(node).rstrip("s") in LISTS


def _name(node: ast.expr) -> str:
    """The name, or the last part of a dotted one; "" for anything else."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _templates(node: ast.expr, functions: list[ast.FunctionDef]) -> Iterator[str]:
    """The texts of an expression and of what it names; where it is put together, also of what is around."""
    text = template(node)
    if text is not None:
        yield text
        looked_at: list[ast.AST] = [node]
    else:
        around = [own for own in functions if own.lineno <= node.lineno <= (own.end_lineno or 0)]
        looked_at = [node, *around]
        for own in looked_at:
            yield from _sentences_in(own)
    for name in {name for own in looked_at for name in _names(own)}:
        for named in _named().get(name, ()):
            yield from _sentences_in(named)


def _sentences_in(node: ast.AST) -> Iterator[str]:
    """Texts of three words or more; docstrings are none, and what a `raise` says is found by itself."""
    if isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        return
    text = template(node)
    if text is None:
        for child in ast.iter_child_nodes(node):
            yield from _sentences_in(child)
    elif len(text.replace("{}", "").split()) >= FEWEST_WORDS:
        yield text


def _is_said(text: str) -> bool:
    """Whether it has words, and isn't meant for a database or a pattern."""
    words = text.replace("{}", " ").split()
    return any(word.isalpha() for word in words) and not text.startswith(
        ("^", "CASE ", "SELECT ", "FROM ", "CREATE ", "count(")
    )


def _names(node: ast.AST) -> set[str]:
    """The functions that are called in an expression, and the constants that it names."""
    calls = {_name(own.func) for own in ast.walk(node) if isinstance(own, ast.Call)}
    names = {own.id for own in ast.walk(node) if isinstance(own, ast.Name)}
    return {name for name in calls if name.startswith(("_", *MAKERS))} | {
        name for name in names if name.strip("_").isupper()
    }


@lru_cache(maxsize=1)
def _named() -> dict[str, list[ast.AST]]:
    """Functions and constants of the core by name."""
    found: dict[str, list[ast.AST]] = {}
    for _, tree in _modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                found.setdefault(node.name, []).append(node)
        for statement in tree.body:
            if isinstance(statement, ast.Assign):
                found.setdefault(_name(statement.targets[0]), []).append(statement.value)
    return found


@lru_cache(maxsize=1)
def _modules() -> tuple[tuple[Path, ast.Module], ...]:
    paths = [path for path in sorted(CORE.rglob("*.py")) if "cli" not in path.relative_to(CORE).parts]
    return tuple((path, ast.parse(path.read_text(encoding="utf-8"))) for path in paths)
