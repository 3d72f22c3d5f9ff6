"""`artcluster similar`: pictures of a store that look like given ones."""

from pathlib import Path

import click

from artcluster.cli.options import vectors_option, with_config
from artcluster.config import Config
from artcluster.errors import UsageError

_EPILOG = """\b
Examples:
  artcluster similar store/ paintings/sunflowers.jpg
  artcluster similar store/ 3f1a97c2 --top 50 --html neighbours.html
  artcluster similar store/ inbox/ --json
  artcluster similar store/ --words "a ship at sea" --words "an angel" --html found.html
  artcluster similar store/ --refresh

IMAGES are paths of the store's own pictures, content_ids (8 digits at least), or files and
folders anywhere. Past search.exact_below vectors an index is built, kept in the store, and
added to as pictures are; --refresh does that beforehand. --words needs vectors of a CLIP-like
network (--backbone clip:NAME, extra `clip`); its distances are larger than those between pictures.
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@click.argument("images", nargs=-1)
@click.option("--words", multiple=True, metavar="TEXT", help="Find pictures that show this.")
@click.option("--top", default=20, show_default=True, help="Neighbours of each picture.")
@vectors_option
@click.option("--archive-id", metavar="NAME", help="Find pictures of this archive alone.")
@click.option("--html", metavar="FILE", help="Write a page with small copies of the pictures.")
@click.option("--size", "cell_px", default=160, show_default=True, help="Their side in pixels.")
@click.option("--refresh", is_flag=True, help="Bring the index up to the store's vectors.")
@with_config
def similar(
    store: str,
    images: tuple[str, ...],
    words: tuple[str, ...],
    top: int,
    backbone: str | None,
    archive_id: str | None,
    html: str | None,
    cell_px: int,
    refresh: bool,
    config: Config,
    as_json: bool,
) -> None:
    """Find the pictures of STORE that look like each of IMAGES, or show what WORDS say."""
    from artcluster.cli.console import progress_for_terminal
    from artcluster.cli.show_similar import show_index, show_similar
    from artcluster.stages.embedder import cache_folder
    from artcluster.stages.hardware import usable_cpus
    from artcluster.stages.known import choose_embedder
    from artcluster.stages.similar import SimilarPictures, open_neighbours
    from artcluster.stages.word_embedder import choose_word_embedder, open_text_tower
    from artcluster.store import Store

    if sum(map(bool, (images, words, refresh))) != 1:
        raise UsageError("similar: expected either IMAGES, --words or --refresh")
    if not all(map(str.strip, words)):
        raise UsageError("--words: expected some words, got none")
    if not 1 <= top <= 10_000:
        raise UsageError(f"--top: expected 1 to 10000, got {top}")
    if not 32 <= cell_px <= 1024:
        raise UsageError(f"--size: expected 32 to 1024, got {cell_px}")
    opened = Store.open(store, options=config.store.options)
    if words:
        embedder = choose_word_embedder(opened, backbone)
        embedder_id = embedder.embedder_id
    else:
        embedder_id = choose_embedder(opened, backbone, whole=True)
    with progress_for_terminal() as progress:
        neighbours = open_neighbours(opened, embedder_id, config, cache_folder(), progress)
        neighbours.refresh()
    if refresh:
        show_index(neighbours, as_json)
        return
    pictures = SimilarPictures(opened, neighbours, config, usable_cpus(), archive_id)
    if words:
        tower = open_text_tower(opened, embedder)
        found = pictures.ask_vectors(words, tower.words(words), top)
    else:
        found = pictures.ask(images, top)
    if html is None:
        show_similar(found, as_json)
        return
    from artcluster.cli.whole_file import whole_file
    from artcluster.stages.similar_page import write_similar_page

    with whole_file(Path(html)) as file:
        asked = write_similar_page(found, config, cell_px, file)
    click.echo(f"{html}: {asked} pictures with their neighbours")
