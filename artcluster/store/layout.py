"""Every folder of a store: what it holds, which package writes it, and how long it is kept.

The tables of `schema` have a folder each, under their own name; some keep further files there
(`models/<model_id>/model.json`). All other code takes its paths from here.
"""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from artcluster.schema import METADATA, TABLES

MARK = "store.json"
"""The file that makes a folder a store."""

Removal = Literal["never", "by rows", "unfinished", "unused", "spent", "superseded", "any"]
"""What `vacuum` may remove, once it is old enough:

- `never`: nothing.
- `by rows`: files that no row of their table names, and those of rows that it removes.
- `unfinished`: what a job began and none finished.
- `unused`: what nothing in the store names.
- `spent`: what has led to its result.
- `superseded`: all but the last, and what a job will resume from.
- `any`: everything.
"""


@dataclass(frozen=True)
class Folder:
    """One folder at the root of a store.

    Attributes:
        name: Its name.
        holds: What is in it, in a few words.
        owner: The package that writes it.
        removal: What `vacuum` may remove of it.
        in_status: Whether `status` counts its files.
    """

    name: str
    holds: str
    owner: str
    removal: Removal
    in_status: bool = True

    def path(self, *parts: str) -> str:
        """Return a path below the folder, relative to the store.

        >>> MAPS.path("kmeans-ab12.safetensors")
        'maps/kmeans-ab12.safetensors'
        """
        return "/".join((self.name, *parts))

    def below(self, path: str) -> list[str]:
        """Return the parts of a path of the store that are below the folder.

        >>> SCANS.below("scans/met/00000003/scan.json")
        ['met', '00000003', 'scan.json']
        """
        name, *parts = path.split("/")
        assert name == self.name, path
        return parts


ARCHIVES = Folder("archives", "settings of each archive", "workflows.embedding", "never")
CHECKPOINTS = Folder("checkpoints", "training to resume from", "executors", "spent")
CLOCK = Folder("clock", "files written to read the storage's clock", "store", "any", False)
EMBEDDERS = Folder("embedders", "weights of networks", "workflows.embedding", "unused")
FINDINGS = Folder("findings", "pages of sweeps, comparisons, profiles", "cli", "never")
HINTS = Folder("hints", "labels and pairs that guide methods", "workflows.clustering", "unused")
INDEXES = Folder("indexes", "indexes of vectors for `similar`", "workflows.searching", "unused")
LEASES = Folder("leases", "who writes what", "store", "never", False)
LISTS = Folder("lists", "lists of images handed over in Python", "workflows", "never")
MAPS = Folder("maps", "layouts of models' maps", "workflows.viewing", "by rows")
MODELS = Folder("models", "models' centroids and networks", "workflows.clustering", "by rows")
PIXELS = Folder("pixels", "decoded pictures to train on", "workflows.embedding", "spent")
PLANS = Folder("plans", "what a scan leaves to embed", "archive", "superseded")
PRETRAINED = Folder("pretrained", "networks and hierarchies to start from", "workflows", "never")
REPORT = Folder("report", "the last report", "workflows.viewing", "never")
SCANS = Folder("scans", "listings of each archive", "archive", "superseded")
STUDIES = Folder("studies", "pages and networks of studies", "workflows.studies", "unfinished")
THUMBNAILS = Folder("report-cache", "thumbnails of reports", "workflows.viewing", "unused")
TRIALS = Folder("trials", "clusters and maps of trials", "workflows.experiments", "by rows")

_FOLDERS = (
    ARCHIVES,
    CHECKPOINTS,
    CLOCK,
    EMBEDDERS,
    FINDINGS,
    HINTS,
    INDEXES,
    LEASES,
    LISTS,
    MAPS,
    MODELS,
    PIXELS,
    PLANS,
    PRETRAINED,
    REPORT,
    SCANS,
    STUDIES,
    THUMBNAILS,
    TRIALS,
)

_TABLES = (
    Folder(table.name, "a table", "store", "by rows", False)
    for table in (*TABLES.values(), METADATA)
)

FOLDERS: dict[str, Folder] = {each.name: each for each in (*_TABLES, *_FOLDERS)}
"""All folders of a store by name."""


def delta_log(table: str, *parts: str) -> str:
    """Return the path of a table's transaction log, or of a file in it."""
    return "/".join((table, "_delta_log", *parts))


def replaced(table: str, *parts: str) -> str:
    """Return the folder of a table's notes on files that commits took out of it."""
    return "/".join((table, "_replaced", *parts))


def lease_file(name: str, epoch: int) -> str:
    """Return the file of a lease's holder."""
    return f"{lease_folder(name)}/{epoch:010d}.json"


def lease_folder(name: str) -> str:
    """Return a lease's folder.

    >>> lease_folder("embeddings=timm:vit")
    'leases/embeddings=timm%3Avit'
    """
    return LEASES.path(quote(name, safe="="))


def embedder_weights(embedder_id: str) -> str:
    """Return the file of an embedder's weights."""
    return EMBEDDERS.path(embedder_id, "weights.safetensors")


def contract_by_settings(digest: str) -> str:
    """Return the file of the contract that settings of this digest came to."""
    return EMBEDDERS.path("by-settings", f"{digest}.json")


def model_map(model_id: str) -> str:
    """Return the file of a model's map."""
    return MAPS.path(f"{model_id}.safetensors")
