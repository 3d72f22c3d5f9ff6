"""The store: Delta tables, shards, leases, and the small files beside them."""

from artcluster.store.lease import Fence, Lease
from artcluster.store.reader import TableReader
from artcluster.store.shards import ShardInfo, ShardWriter, shard_name
from artcluster.store.store import Store

__all__ = ["Fence", "Lease", "ShardInfo", "ShardWriter", "Store", "TableReader", "shard_name"]
