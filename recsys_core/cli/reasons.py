"""What the commands that explain share: their options, and their answers as text."""

from typing import Annotated, Any

import typer

from recsys_core.cli.output import table_text

STRONGEST = 10

METHOD_HELP = (
    "integrated-gradients, leave-one-out, shapley-sampling, shapley-exact (12 items at most), gradient-shap, "
    "gradient-x-input, attention-rollout (shows where a model looks, no more), or counts for one that counts."
)

AsOfOption = Annotated[str, typer.Option(help="test: before the held-out item; now: the whole history.")]


def reason_columns(found: dict[str, Any]) -> list[str]:
    """The columns of the reasons' table: with standard errors, where the method has drawn."""
    drawn = any(row["standard_error"] is not None for row in found["attributions"])
    return ["position", "attribution", *(["standard_error"] if drawn else []), "item_id", "title"]


def contrast_text(found: dict[str, Any]) -> str:
    """Why rather than another item: the strongest of what speaks for either."""
    strongest = sorted(found["attributions"], key=lambda row: -abs(row["attribution"]))[:STRONGEST]
    return (
        f"Rather than '{found['over_title']}': {found['margin']:+.4f} in score (above 0 speaks for it):\n"
        + table_text(strongest, ["position", "attribution", "own", "other", "item_id", "title"])
    )


def components_text(found: dict[str, Any]) -> str:
    """What the parts of the model add, from nothing known to the score."""
    return f"From {found['baseline_score']:.4f}, nothing known, to {found['score']:.4f}:\n" + table_text(
        found["parts"], ["part", "contribution", "absent"]
    )


def without_history_text(found: dict[str, Any]) -> str:
    """What explains the list of somebody without a history."""
    text = (
        f"'{found['title']}' is number {found['rank']} for {found['user_id']}: {found['reason']}\n"
        f"By popularity it is number {found['popularity_rank']}; it was chosen "
        f"{found['training_interactions']:,} times in training."
    )
    return text if found["components"] is None else f"{text}\n{components_text(found['components'])}"
