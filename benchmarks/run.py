"""All benchmarks in order, or some of them: python -m benchmarks.run [PART …] --ml-100k FOLDER --ml-1m FILE

A part that needs data which aren't there is skipped, and said so: MovieLens may not be passed on. Speeds mean
something on a machine that does nothing else. Prints Markdown; RESULTS.md keeps what was measured.
"""

import argparse
import subprocess
import sys
from pathlib import Path

ML_100K, ML_1M = "{ml_100k}", "{ml_1m}"
PARTS: dict[str, list[list[str]]] = {
    "quality": [["quality", ML_100K, "0", "1", "2"], ["ml1m", ML_1M]],
    "training": [["training_speed", ML_1M]],
    "scoring": [["scoring_speed", ML_1M]],
    "metrics": [["metrics_speed", "{peers}"]],
    "explanation": [["explanation_speed", ML_1M], ["counterfactual_speed", ML_1M]],
    "growth": [["growth"]],
    "audit": [["audit_speed"], ["audit_calibration"], ["audit_attack"], ["gap_causes", "--worlds", "100"]],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all of them by default")
    parser.add_argument("--ml-100k", type=Path, required=True)
    parser.add_argument("--ml-1m", type=Path, required=True)
    parser.add_argument("--peers", type=Path, default=Path(".venv-peers/bin/python"))
    options = parser.parse_args()
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}; parts are {', '.join(PARTS)}")
    for part in options.parts or PARTS:
        for module, *arguments in PARTS[part]:
            print(f"\n## {part}: {module}\n", flush=True)
            run(module, [argument.format(**vars(options)) for argument in arguments], options)


def run(module: str, arguments: list[str], options: argparse.Namespace) -> None:
    missing = [
        path for path in (options.ml_100k, options.ml_1m) if str(path) in arguments and not path.exists()
    ]
    if missing:
        print(f"Skipped: {missing[0]} isn't there.", flush=True)
        return
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{module}", *arguments], check=False)
    if done.returncode:
        print(f"\n{module} ended with {done.returncode}.", flush=True)


if __name__ == "__main__":
    main()
