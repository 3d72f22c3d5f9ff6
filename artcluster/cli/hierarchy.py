"""A hierarchy of clusters, drawn as a tree at a terminal."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.tree import Tree


def print_hierarchy(
    console: Console, merges: Sequence[tuple[int, int, float]], sizes: Mapping[int, int]
) -> None:
    """Print how clusters merge into one; the height says how far apart two groups are.

    Args:
        console: Where to.
        merges: Two clusters and a height, from the lowest up; what merged goes by the first.
        sizes: Images of each cluster.
    """
    nodes = {number: Tree(f"cluster {number}: {size:,}") for number, size in sizes.items()}
    images = dict(sizes)
    for one, other, height in merges:
        images[one] += images[other]
        node = Tree(f"[dim]{height:.2f}[/]  {images[one]:,}")
        node.children = [nodes[one], nodes.pop(other)]
        nodes[one] = node
    console.print("Hierarchy (height, images)", style="bold")
    for node in nodes.values():
        console.print(node)
    console.print()
