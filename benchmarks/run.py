"""Benchmarks by their parts: python -m benchmarks.run [PART …] [--ml-100k FOLDER] [--ml-1m FILE] [--home F]

Without a part the quick ones run, which need nothing but this project and take a few minutes; `all` is
every part, for hours; `list` says what there is. What needs data that aren't there is skipped, and said so:
MovieLens may not be passed on. Speeds mean something on a machine that does nothing else. Prints Markdown;
RESULTS.md keeps what was measured.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ML_100K, ML_1M, HOME, PEERS = "{ml_100k}", "{ml_1m}", "{home}", "{peers}"
KEPT = "{home!s}"  # the same folder, as `rankers` left it
DATA = {ML_100K: "--ml-100k", ML_1M: "--ml-1m", KEPT: "--home, as the part rankers leaves it"}

Command = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """What is measured together.

    Attributes:
        about: in a line.
        commands: modules of this folder with their arguments.
        quick: what stands for them where no part is named; none needs data or other libraries.
    """

    about: str
    commands: tuple[Command, ...]
    quick: tuple[Command, ...] = ()


PARTS = {
    "quality": Part(
        "rank quality of the best presets on MovieLens-100K and MovieLens-1M",
        (("quality", ML_100K, "0", "1", "2"), ("ml1m", ML_1M)),
    ),
    "rankers": Part(
        "every ranker under every preset on MovieLens-100K, kept in the workspace --home",
        (("rankers", ML_100K, HOME),),
    ),
    "cold": Part("what texts are worth for rare items, on MovieLens-100K", (("cold", ML_100K),)),
    "training": Part("training speed beside RecTools and RecBole", (("training_speed", ML_1M),)),
    "scoring": Part("scoring speed beside faiss and RecTools", (("scoring_speed", ML_1M),)),
    "metrics": Part(
        "speed of the ranking metrics beside RecTools and ranx",
        (("metrics_speed", PEERS),),
        (("metrics_speed",),),
    ),
    "encoder": Part("speed and loss of encoding texts; needs MiniLM on this machine", (("encoder_speed",),)),
    "explanation": Part(
        "ten items of one person beside Captum, leave-one-out, Shapley values",
        (("explanation_speed", ML_1M, "--parts", "items", "removal"),),
    ),
    "cohort": Part(
        "10,000 people's lists explained, and how that grows with length and width",
        (("explanation_speed", ML_1M, "--parts", "cohort", "--cohort", "10000"),),
    ),
    "counterfactual": Part(
        "how long the smallest change takes, and how small it is", (("counterfactual_speed", ML_1M),)
    ),
    "planted": Part(
        "whether explanations find planted causes, and those of copies with random weights lose the badge",
        (
            ("planted_truth", "causes"),
            ("planted_truth", "copies"),
            ("planted_truth", "copies", "--home", KEPT, "--name", "transformer quick"),
        ),
        (("planted_truth", "causes"), ("planted_truth", "copies", "--copies", "20")),
    ),
    "causes": Part(
        "whether a planted cause of a gap is found, and nothing where none is",
        (("gap_causes", "--worlds", "100"),),
    ),
    "audit": Part(
        "speed of the audit, how sure it is of known truth, and attacks on what it hides",
        (("audit_speed",), ("audit_calibration",), ("audit_attack",)),
        (("audit_attack", "--tables", "100"),),
    ),
    "waits": Part(
        "what the pages Fairness and Report wait for on The Complete Journey and MovieLens-1M",
        (("page_waits", "complete-journey"), ("page_waits", "movielens-1m", ML_1M)),
    ),
    "growth": Part("how time and memory grow from 100 k to 10 M interactions", (("growth",),)),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=listing(), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", help="names of parts, all, or list; the quick ones by default")
    parser.add_argument("--ml-100k", type=Path, default=Path("ml-100k"))
    parser.add_argument("--ml-1m", type=Path, default=Path("ml-1m.txt.gz"))
    parser.add_argument("--home", type=Path, default=Path("bench-home"))
    parser.add_argument("--peers", type=Path, default=Path(".venv-peers/bin/python"))
    options = parser.parse_args()
    unknown = [part for part in options.parts if part not in (*PARTS, "all", "list")]
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}; parts are {', '.join(PARTS)}, all and list")
    if "list" in options.parts:
        print(listing())
        return
    for part, commands in chosen(options.parts):
        for module, *arguments in commands:
            print(f"\n## {part}: {module}\n", flush=True)
            run(module, arguments, options)


def listing() -> str:
    """The parts, a line each; those that run by default are marked."""
    width = max(map(len, PARTS))
    return "\n".join(
        f"{name:<{width}}  {part.about}{' (in short by default)' if part.quick else ''}"
        for name, part in PARTS.items()
    )


def chosen(names: Sequence[str]) -> list[tuple[str, tuple[Command, ...]]]:
    """The commands of these parts; of all by "all", and the quick ones where nothing is named."""
    if not names:
        return [(name, part.quick) for name, part in PARTS.items() if part.quick]
    return [(name, PARTS[name].commands) for name in (PARTS if "all" in names else names)]


def run(module: str, arguments: Sequence[str], options: argparse.Namespace) -> None:
    """Runs one benchmark, or says what it lacks."""
    for wanted in set(arguments) & set(DATA):
        path = Path(wanted.format(**vars(options)))
        if not path.exists():
            print(f"Skipped: it needs {DATA[wanted]}, and {path} isn't there.", flush=True)
            return
    filled = [argument.format(**vars(options)) for argument in arguments]
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{module}", *filled], check=False)
    if done.returncode:
        print(f"\n{module} ended with {done.returncode}.", flush=True)


if __name__ == "__main__":
    main()
