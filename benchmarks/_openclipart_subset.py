"""A small archive of openclipart's drawings: the largest categories, as many pictures of each.

python -m benchmarks._openclipart_subset DIR OUT

DIR is where Debian's package `openclipart-png` was unpacked (`apt-get download openclipart-png`,
`dpkg -x`). OUT gets images/CATEGORY/NAME.png and metadata.csv with the column `category`.
"""

import argparse
import csv
import shutil
from collections import defaultdict
from pathlib import Path

from benchmarks._sets import distinct, openclipart


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dir", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--categories", type=int, default=8)
    parser.add_argument("--pictures", type=int, default=60, help="of each category, evenly spaced")
    args = parser.parse_args()
    found: dict[str, list[Path]] = defaultdict(list)
    for path, category in distinct(openclipart(args.dir)):
        found[category].append(path)
    largest = sorted(found, key=lambda category: (-len(found[category]), category))
    rows = []
    for category in sorted(largest[: args.categories]):
        paths = found[category]
        folder = args.out / "images" / category
        folder.mkdir(parents=True)
        for number in range(args.pictures):
            path = paths[number * len(paths) // args.pictures]
            target = folder / f"{number:03d}-{path.name}"
            shutil.copyfile(path, target)
            rows.append((f"{category}/{target.name}", category))
    with (args.out / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "category"), *rows])
    print(f"{len(rows)} drawings of {args.categories} categories in {args.out}")


if __name__ == "__main__":
    main()
