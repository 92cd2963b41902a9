"""`reclens search` and `seeds`: which settings, and how much of a figure is the seed's doing."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, listed, table_text
from recsys_core.errors import ConfigError

TRIAL_COLUMNS = ["number", "valid_ndcg@10", "epochs", "outcome", "tried"]

RankerOption = Annotated[str, typer.Option(help="Name of a ranker, as for `reclens train`.")]
PresetOption = Annotated[str, typer.Option(help="quick, balanced or best.")]
SetOption = Annotated[list[str] | None, typer.Option(help="key=value that stays, repeated.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


@app.command()
def search(
    dataset: str,
    ranker: RankerOption,
    trials: Annotated[int, typer.Option(help="How many settings to try, at most.")] = 20,
    minutes: Annotated[float, typer.Option(help="How long, at most.")] = 60.0,
    preset: PresetOption = "balanced",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    set: SetOption = None,
    over: Annotated[
        list[str] | None, typer.Option(help="Search these settings alone: loss,block,dropout; repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File for `reclens train --settings`.")] = None,
    device: DeviceOption = "auto",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Try settings around a preset; the best on the validation part win, the test part is not touched."""
    try:
        from recsys_core.actions import searches
        from recsys_core.trainer.search import Search, Trial
    except ModuleNotFoundError as error:
        raise ConfigError("a search needs Optuna; install it with: pip install 'reclens[search]'") from error
    reply = answer(workspace, json)
    what = Search(ranker, preset, tuple(set or []), trials, 60 * minutes, seed, tuple(listed(over or [])))

    def follow(trial: Trial) -> None:
        reply.progress((trial.number + 1) / trials, f"Trial {trial.number}: {trial.valid_ndcg}")

    result = searches.search_settings(reply.workspace, dataset, what, device, follow)
    if out is not None:
        searches.write_settings(out, what, result)
    found = searches.search_json(what, result)
    line = " ".join(f"--set {name}={value}" for name, value in result.best.tried.items())
    reply.write(found, f"{table_text(found['trials'], TRIAL_COLUMNS)}\n\nbest: {line}")


@app.command()
def seeds(
    dataset: str,
    ranker: RankerOption,
    seeds: Annotated[list[str], typer.Option(help="Seeds, separated by commas.")],
    preset: PresetOption = "balanced",
    set: SetOption = None,
    device: DeviceOption = "auto",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Train a ranker once for each seed, keep no model, and say how far its test figures scatter."""
    from recsys_core.actions.seeds import seed_spread

    reply = answer(workspace, json)
    numbers = [_seed(word) for word in listed(seeds)]
    spread = seed_spread(reply.workspace, dataset, ranker, numbers, preset, set or [], device, reply.progress)
    lines = [f"{name} {mean:.4f} ± {spread.sd[name]:.4f}" for name, mean in spread.mean.items()]
    reply.write(asdict(spread), f"mean ± standard deviation of {len(numbers)} seeds\n" + "\n".join(lines))


def _seed(word: str) -> int:
    if not word.strip().isdecimal():
        raise ConfigError(f"'{word}' is no seed; seeds are whole numbers from 0, separated by commas")
    return int(word)
