"""Tables of an archive: its files, the user's metadata, and the vectors of its images."""

from artcluster.schema.table import float32, int32, int64, table, text, time, vector

IMAGES = table(
    "images",
    "One row per archive, path and observed change; the newest row of a path is current",
    text("archive_id", "The archive the path belongs to"),
    text("path", "Path relative to the archive's root, '/' between folders"),
    text("uri", "Where the bytes lie, without credentials"),
    int64("scan_id", "The scan that first saw this state of the path"),
    int64("size_bytes", "Size in the listing"),
    text("version", "Change marker of the listing: etag, else mtime"),
    text("content_id", "SHA-256 of the bytes; null where never fetched"),
    int32("width", "Pixels after EXIF rotation; null where not decoded"),
    int32("height", "Pixels after EXIF rotation; null where not decoded"),
    text("format", "Format by content: JPEG, PNG, …"),
    text("status", "ok, rejected, unread (its file could not be read) or removed"),
    text(
        "stage",
        "For a reject: the stage that refused it; fetch for a file that could not be read, "
        "list for one that a list names and is not there",
    ),
    text(
        "reason",
        "For a reject: a code such as not-an-image, truncated, unread; damaged for an "
        "image of which a little is missing",
    ),
    text("detail", "For a reject or a damaged image: the decoder's words"),
    text("pixel_policy", "The pixel policy that the status was found under"),
    time("seen_at", "When the row was written"),
)


METADATA = table(
    "metadata",
    "One row per row of the user's own tables, under their own columns",
    text("archive_id", "The archive the path belongs to"),
    text("path", "Path of the image, as in `images`; null if none"),
    text("metadata_source", "The file the row came from"),
    text("metadata_version", "Version of the source; later ones sort last"),
)


PERCEPTUAL_HASHES = table(
    "perceptual_hashes",
    "One row per content that was hashed, to find near-duplicates",
    text("content_id", "SHA-256 of the image's bytes"),
    text("phash", "64 bits in hexadecimal: near where pictures look alike"),
)


EMBEDDERS = table(
    "embedders",
    "One row per embedder that has made vectors",
    text("embedder_id", "Name and hash of the contract"),
    text("name", "The embedder's name, such as densenet121"),
    int32("dim", "Length of its vectors"),
    text("contract", "The whole contract as JSON"),
    text("engine", "Engine and library versions at first use, JSON"),
    time("created_at", "When the row was written"),
)


EMBEDDINGS = table(
    "embeddings",
    "One row per embedder and content, or region of one: its vector",
    text("embedder_id", "The embedder that made the vector"),
    text("content_id", "SHA-256 of the image's bytes"),
    text("region", "'' for the whole image, else 'x,y,width,height' of a part"),
    vector("embedding", "The vector"),
    partition_by=("embedder_id",),
)


REGIONS = table(
    "regions",
    "One row per region found in a picture, and one per picture that was searched",
    text("embedder_id", "The embedder that looked for parts of pictures"),
    text("content_id", "SHA-256 of the image's bytes"),
    text("region", "The part, 'x,y,width,height'; '' for the picture looked at"),
    text("kind", "face; picture where region is ''"),
    int32("x", "Left side in pixels of the upright picture"),
    int32("y", "Upper side in pixels of the upright picture"),
    int32("width", "In pixels of the upright picture"),
    int32("height", "In pixels of the upright picture"),
    float32("score", "How sure the detector is, 0 to 1; null for a picture"),
    partition_by=("embedder_id",),
)


METADATA_KEYS = tuple(METADATA.schema.names)
