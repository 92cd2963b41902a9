"""Options that several commands about groups of people have, with the same words everywhere."""

from typing import Annotated

import typer

ByOption = Annotated[str, typer.Option(help="Attribute, or A*B for an intersection.")]
EachByOption = Annotated[
    list[str], typer.Option("--by", help="Attribute, or A*B for their intersection; repeated.")
]
MetricOption = Annotated[str, typer.Option(help="ndcg@10, hr@10, mrr@10, auc, novelty@10, …")]
ReferenceOption = Annotated[str, typer.Option(help="rest, best, or the name of a group.")]
DrawsOption = Annotated[int, typer.Option(help="Bootstrap draws.")]
MapOption = Annotated[
    list[str] | None, typer.Option("--map", help="ROLE=COLUMN,… for columns that aren't guessed; repeated.")
]
SeedOption = Annotated[int, typer.Option(min=0)]
