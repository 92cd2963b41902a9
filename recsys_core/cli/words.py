"""`reclens explain-words`."""

from typing import Annotated, Any

import typer

from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, table_text


@app.command()
def explain_words(
    model: str,
    user: Annotated[str, typer.Option(help="Id of a person.")],
    item: Annotated[str | None, typer.Option(help="Id of an item; default: the first of the list.")] = None,
    history: Annotated[int, typer.Option(help="Into how many history items' texts to go.")] = 3,
    place: Annotated[
        list[int] | None, typer.Option(help="Place of a history item, 1 = oldest, instead; repeatable.")
    ] = None,
    as_of: Annotated[str, typer.Option(help="test: before the held-out item; now: all.")] = "test",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Say why an item is on a person's list, down to the words of its text and of the history's."""
    from recsys_core.actions import models, words

    reply = answer(workspace, json)
    opened = models.open_model(reply.workspace, model)
    moment, places = models.checked_as_of(as_of), [own - 1 for own in place] if place else None
    chain = words.words_of_item(opened, user, item, history, moment, places)
    found = words.words_json(opened, chain)
    text = [
        f"The score of '{found['item']['title']}' is {found['score']:.4f}, {found['baseline_score']:.4f} "
        f"with {found['baseline']}; the history's items miss the difference by {found['relative_delta']:.2%}",
        f"\nIts own text, in its logit: {_words(found['item'])}",
    ]
    text += [
        f"\n'{one['title']}' at {one['position']} adds {one['attribution']:.4f}: {_words(one)}"
        for one in found["history"]
    ]
    reply.write(found, "\n".join(text))


def _words(item: dict[str, Any]) -> str:
    strongest = sorted(item["words"], key=lambda word: -abs(word["attribution"]))[:10]
    return (
        f"id {item['by_id']:.4f}, text {item['by_text']:.4f} (any text {item['by_any_text']:.4f}), other "
        f"{item['by_rest']:.4f}; the words miss the text's part by {item['words_delta']:.1e}\n"
        + table_text(strongest, ["attribution", "word"])
    )
