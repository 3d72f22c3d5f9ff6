"""Which embedder of a store knows words, and its tower for them."""

from typing import TYPE_CHECKING

from artcluster.embedders.catalogue import knows_words
from artcluster.errors import UsageError
from artcluster.stages.embedder import ReadyEmbedder, read_embedder, stored_state
from artcluster.stages.known import choose_embedder
from artcluster.store import Store

if TYPE_CHECKING:
    from artcluster.embedders.clip_text import TextTower

_HOW = (
    "embed the archive by a CLIP-like network first: pip install 'artcluster[clip]', then "
    "`artcluster embed IMAGES STORE --backbone clip:ViT-B-32/laion2b_s34b_b79k`, which leaves what "
    "the store has as it is"
)


def choose_word_embedder(
    store: Store, wanted: str | None, first: str | None = None
) -> ReadyEmbedder:
    """Return an embedder of the store whose vectors can be compared with words.

    Args:
        store: The store.
        wanted: Its name or id; None for `first`, or the only one there is.
        first: The embedder_id that is taken where it knows words and none is wanted.

    Raises:
        UsageError: There is none, there are several, or the one wanted knows no words.
    """
    if wanted is not None:
        embedder = read_embedder(store, choose_embedder(store, wanted))
        if not knows_words(embedder.contract.network):
            raise UsageError(f"{embedder.embedder_id} knows no words: {_HOW}")
        return embedder
    known = [
        read_embedder(store, each) for each in store.table("embeddings").distinct("embedder_id")
    ]
    fitting = [each for each in known if knows_words(each.contract.network)]
    fitting = [each for each in fitting if each.embedder_id == first] or fitting
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(each.embedder_id for each in fitting)
        raise UsageError(f"several embedders know words: choose one of {names} with --backbone")
    names = ", ".join(each.embedder_id for each in known) or "none yet"
    raise UsageError(
        f"the store {store.location} has no vectors that words can be compared with (it has "
        f"{names}): {_HOW}"
    )


def open_text_tower(store: Store, embedder: ReadyEmbedder) -> "TextTower":
    """Return the tower for texts of an embedder, from its weights in the store.

    Raises:
        UsageError: OpenCLIP is not installed, or lacks the network's vocabulary.
    """
    from artcluster.embedders.clip_text import TextTower

    return TextTower(embedder.contract, stored_state(store, embedder))
