"""Where files lie: paths and URIs, with the credentials and filesystems that reach them."""

from artcluster.location.location import Location, ObjectStore
from artcluster.location.redaction import redact

__all__ = ["Location", "ObjectStore", "redact"]
