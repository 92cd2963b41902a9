"""Items that nobody has touched yet, in a ranker that was trained without them.

Such an item is known by its text from the moment that it is there: the text's part of its vector is its
own, the id's part is an average item's, and it is no more popular than the least popular item.
"""

import copy

import torch
from torch import Tensor, nn

from recsys_core.data.dataset import FloatArray
from recsys_core.errors import ConfigError
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.ranker.profile import ProfileRanker


def add_items(
    ranker: NeuralRanker,
    text_vectors: Tensor,
    traits: Tensor | None = None,
    image_vectors: Tensor | None = None,
) -> NeuralRanker:
    """A ranker that knows more items, which follow its own in number; its own keep their scores to the bit.

    Args:
        ranker: trained with texts; it stays as it is.
        text_vectors: [m, t] of the new items' texts, by the encoder that the ranker was trained with.
        traits: [m, p] of the new items, for a ranker that reads profiles; by default an average item's.
        image_vectors: [m, p] of the new items' pictures, for a ranker that reads any; by default zeros.

    Raises:
        ConfigError: the ranker reads no text, or texts of another size.
    """
    own_text = ranker.item_vectors.text
    if own_text is None:
        raise ConfigError("this ranker reads no text, so it can't score an item that nobody has touched")
    if text_vectors.shape[1:] != own_text.shape[1:]:
        raise ConfigError(
            f"the new texts' vectors have {text_vectors.shape[-1]} numbers, those of this ranker "
            f"{own_text.shape[1]}; encode them by the same encoder"
        )
    grown, n_new = copy.deepcopy(ranker), len(text_vectors)
    if n_new == 0:
        return grown.eval()
    grown.n_items += n_new
    vectors = grown.item_vectors
    n_trained, vectors.parts = vectors.parts[0], (*vectors.parts, n_new)
    vectors.text = torch.cat([own_text, text_vectors.to(own_text)])
    if vectors.image is not None:
        none = vectors.image.new_zeros(n_new, vectors.image.shape[1])
        seen = none if image_vectors is None else image_vectors.to(none)
        vectors.image = torch.cat([vectors.image, seen])
    if vectors.id is not None:
        average = vectors.id.weight.detach()[1:n_trained].mean(0).expand(n_new, -1)
        vectors.id = nn.Embedding.from_pretrained(
            torch.cat([vectors.id.weight.detach(), average]), freeze=False
        )
    lowest = grown.item_bias.detach()[1:].min().expand(n_new)
    grown.item_bias = nn.Parameter(torch.cat([grown.item_bias.detach(), lowest]))
    if isinstance(grown, ProfileRanker):
        own = grown.profile.traits
        more = own[:1].expand(n_new, -1) if traits is None else traits.to(own)
        grown.profile.traits = torch.cat([own, more])
    return grown.eval()


def know_untouched_by_content(ranker: NeuralRanker, counts: FloatArray) -> None:
    """Treats items of the catalogue that nobody touched in training as if they were added after it.

    In training such an item is never the answer, so what it learns of its id and its bias is only to lose.

    Args:
        ranker: changed in place; without texts and pictures, or where nothing was touched, it stays as it is.
        counts: [n_items + 1] training interactions.
    """
    touched = torch.from_numpy(counts[1:] > 0).to(ranker.item_bias.device)
    known_by_more = ranker.item_vectors.text is not None or ranker.item_vectors.image is not None
    if not (known_by_more and touched.any()):
        return
    table = ranker.item_vectors.id
    with torch.no_grad():
        ranker.item_bias[1:][~touched] = ranker.item_bias[1:][touched].min()
        if table is not None:
            table.weight[1:][~touched] = table.weight[1:][touched].mean(0)
