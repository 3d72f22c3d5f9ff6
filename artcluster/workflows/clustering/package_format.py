"""A package's description: what it holds, the hash of every file, a digest over it all."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from artcluster import __version__
from artcluster.embedders import Contract
from artcluster.errors import StoreError, UsageError
from artcluster.location import Location
from artcluster.store.blobs import Blobs

DESCRIPTION = "package.json"
PACKAGE_FORMAT_VERSION = 1


@dataclass(frozen=True)
class PackagedCluster:
    """What is known of a cluster besides the model: its size in the run, and a person's name."""

    size: int
    name: str | None = None


@dataclass(frozen=True)
class PackageFacts:
    """What package.json says.

    Attributes:
        method: How it was made.
        k: Number of clusters.
        embedder_id: The only embedder whose vectors it takes.
        run_id: The run it was taken from; '' where no run had it.
        store_id: The store it was taken from.
        created_at: When the package was written (ISO 8601).
        clusters: By the model's cluster number.
        files: SHA-256 of every other file, by path.
    """

    model_id: str
    method: str
    k: int
    embedder_id: str
    run_id: str
    store_id: str
    created_at: str
    clusters: Mapping[int, PackagedCluster]
    files: Mapping[str, str]

    def to_json(self) -> bytes:
        """Write the facts with the digest over all of them, and so over every file."""
        facts: dict[str, Any] = {
            "format": "artcluster package",
            "format_version": PACKAGE_FORMAT_VERSION,
            "created_by": f"artcluster {__version__}",
            **asdict(self),
        }
        facts["clusters"] = {str(number): asdict(each) for number, each in self.clusters.items()}
        return json.dumps(facts | {"digest": _digest(facts)}, indent=2).encode() + b"\n"


def read_facts(location: Location) -> PackageFacts:
    """Read a package's description.

    Raises:
        UsageError: The package has another format.
        StoreError: The description was changed or cannot be read.
    """
    try:
        facts = json.loads(Blobs(location).read(DESCRIPTION))
        digest, version = facts.pop("digest"), facts["format_version"]
        if version != PACKAGE_FORMAT_VERSION:
            raise UsageError(
                f"The package {location} has the format {version}; this artcluster "
                f"({__version__}) knows {PACKAGE_FORMAT_VERSION}. Use another version of it."
            )
        if digest != _digest(facts):
            raise StoreError(
                f"The package {location} is damaged: {DESCRIPTION} was changed after it was "
                "written. Copy it again, or make it anew with `artcluster package`."
            )
        clusters = {int(key): PackagedCluster(**each) for key, each in facts["clusters"].items()}
        known = {name: facts[name] for name in PackageFacts.__dataclass_fields__}
        return PackageFacts(**known | {"clusters": clusters})
    except (ValueError, KeyError, TypeError) as wrong:
        if isinstance(wrong, UsageError):
            raise
        raise StoreError(
            f"The package {location} is damaged: {DESCRIPTION} cannot be read ({wrong!r}). "
            "Copy it again, or make it anew with `artcluster package`."
        ) from None


def _digest(facts: Mapping[str, Any]) -> str:
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def readme(facts: PackageFacts, contract: Contract) -> str:
    """Return the README of a package: what it is, how it is used, what it was taken from."""
    height, width = contract.input_px
    rows = "\n".join(
        f"| {number} | {each.name or ''} | {each.size:,} |"
        for number, each in sorted(facts.clusters.items())
    )
    return f"""# {facts.model_id}

A model that assigns pictures to {facts.k} clusters, made by artcluster {__version__} with the
method `{facts.method}`.

```bash
artcluster assign THIS-FOLDER PICTURES…
```

```python
from artcluster import Package

package = Package.open("THIS-FOLDER")
for found in package.assign(["portrait.jpg"]):
    print(found.path, found.cluster, found.confidence)
package.predict(vectors, embedder_id="{facts.embedder_id}")  # of vectors made elsewhere
```

| cluster | name | images in the run |
|---|---|---|
{rows}

- **Pictures** become {height} x {width} pixels (policy `{contract.pixel_policy_id}`), then
  {contract.dim} numbers by `{contract.network}`. Vectors of any embedder but
  `{facts.embedder_id}` are refused.
- **Weights**: {contract.origin or "none"}. Their licence is their makers'.
- `package.json` has the SHA-256 of every file, and a digest over all of it: a package that was
  changed is refused.
- Taken from run `{facts.run_id or "none"}` of store `{facts.store_id}`, {facts.created_at}.
"""
