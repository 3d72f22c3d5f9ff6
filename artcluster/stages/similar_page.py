"""Similar pictures as one page with small copies of them."""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from PIL import Image

from artcluster.config import Config
from artcluster.sheets.similar_page import Row, Tile, write_page
from artcluster.stages.pictures import Pictures
from artcluster.stages.similar import Match, Similar


def write_similar_page(
    answers: Iterable[Similar], config: Config, cell_px: int, target: BinaryIO
) -> int:
    """Write the page and return the number of pictures asked for."""
    count = 0

    def rows(pictures: Pictures) -> Iterator[Row]:
        nonlocal count
        for answer in answers:
            count += 1
            asked = Tile(_copy(pictures, answer.uri), answer.asked, "asked for")
            tiles = tuple(
                Tile(_copy(pictures, match.uri), match.path, match_words(match))
                for match in answer.matches
            )
            yield Row(asked, tiles, answer.reason)

    with Pictures(config, cell_px) as pictures:
        write_page(rows(pictures), target)
    return count


def match_words(match: Match) -> str:
    """Return distance and cluster in a few words."""
    words = [f"{match.distance:.3f}"]
    if match.cluster is not None:
        words.append(f"cluster {match.cluster}")
    if match.cluster_name:
        words.append(match.cluster_name)
    return " · ".join(words)


def _copy(pictures: Pictures, uri: str | None) -> Image.Image | None:
    return None if uri is None else pictures.at(uri).image
