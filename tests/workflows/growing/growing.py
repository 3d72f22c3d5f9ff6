"""An archive that grows: small copies of the demo's real pictures, changed night by night."""

from pathlib import Path

from PIL import Image

from tests.workflows.jobs import BROKEN, DEMO

_SIDE_PX = 48


class GrowingArchive:
    """A folder of pictures, each of them another one of the demo archive's.

    Args:
        folder: Where it is made, or lies already.
        start: Pictures of the demo archive that it has had.
    """

    def __init__(self, folder: Path, start: int = 0) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        files = sorted(file for file in (DEMO / "images").rglob("*") if file.stem not in BROKEN)
        distinct = {file.read_bytes(): file for file in reversed(files) if file.is_file()}
        self._left = list(enumerate(sorted(distinct.values())))[start:]

    def add(self, count: int) -> list[str]:
        """Add pictures that were not there before; return their paths."""
        return [self._write(self.folder / f"{self._left[0][0]:04d}.png") for _ in range(count)]

    def change(self, names: list[str]) -> None:
        """Put other pictures in the place of these."""
        for name in names:
            self._write(self.folder / name)

    def rename(self, names: list[str]) -> list[str]:
        """Give files other names."""
        renamed = [f"renamed-{name}" for name in names]
        for old, new in zip(names, renamed, strict=True):
            (self.folder / old).rename(self.folder / new)
        return renamed

    def remove(self, names: list[str]) -> None:
        """Take files away."""
        for name in names:
            (self.folder / name).unlink()

    def _write(self, target: Path) -> str:
        with Image.open(self._left.pop(0)[1]) as picture:
            picture.draft("RGB", (_SIDE_PX, _SIDE_PX))
            small = picture.convert("RGB").resize((_SIDE_PX, _SIDE_PX))
        partial = target.with_suffix(".partial")
        small.save(partial, "PNG")
        partial.replace(target)
        return target.name
