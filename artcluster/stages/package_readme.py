"""What a package says of itself to people."""

from artcluster import __version__
from artcluster.embedders import Contract
from artcluster.stages.package_facts import PackageFacts


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
