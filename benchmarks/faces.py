"""Finding faces in photographs and drawings, and telling people apart.

Work: the photographs of examples/faces with copies of them (grey, mirrored, darkened and turned,
on their side by EXIF, two people in one picture), whose faces are known; and the demo archive's
drawings and constellation paintings, whose faces were marked by eye (data/faces.csv). A face is
found where a box shares 0.3 of the union with it. Grouping: distances between the faces of the
photographs, and DBSCAN's groups for several eps against who they show.
"""

import argparse
import csv
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from sklearn.metrics import adjusted_rand_score

sys.path.insert(0, str(Path(__file__).parent.parent))

from artcluster.clustering.dbscan import dbscan, knee_distance
from artcluster.embedders import FaceRecipe, load, prepare
from artcluster.embedders.faces import FaceCutter, bytes_of
from artcluster.images.faces import Face, FaceLimits
from tests.faces import make_face_archive, person_of

ROOT = Path(__file__).parent
DEMO = ROOT.parent / "examples" / "demo-archive" / "images"
MARKED = ROOT / "data" / "faces.csv"
RESULT = ROOT / "results" / "faces.json"
SCORES = (0.6, 0.7, 0.8, 0.9)
SHARED = 0.3

Boxes = dict[str, list[tuple[float, float, float, float]]]


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    contract, state = prepare("faces", pixel_policy_id="v1-squash-scaled", fit="")
    recipe = FaceRecipe.of_text(contract.fit)
    limits = FaceLimits(min_score=min(SCORES))
    cut = FaceCutter(FaceRecipe(recipe.detector, limits=limits), bytes_of(state["landmarks"]))
    embed = load(contract, state)
    with tempfile.TemporaryDirectory() as folder:
        photographs = Path(folder) / "photographs"
        make_face_archive(photographs)
        seen = {file.name: look(file, cut) for file in sorted(photographs.iterdir())}
        found = {
            "photographs": {
                "pictures": len(seen),
                "faces": sum(len(people_in(name)) for name in seen),
                "by min_score": [finding_by_count(seen, score) for score in SCORES],
            }
        }
        names = [(name, n) for name, (faces, _, _) in seen.items() for n in range(len(faces))]
        chips = np.concatenate([chips for _, chips, _ in seen.values()])
    began = time.perf_counter()
    vectors = embed(chips)
    embed_s = (time.perf_counter() - began) / len(chips)
    marked = read_marked()
    files = [DEMO / path for path in sorted(marked)]
    drawn = {str(file.relative_to(DEMO)): look(file, cut) for file in files}
    found["demo archive"] = {
        "pictures": len(drawn),
        "faces": sum(map(len, marked.values())),
        "by min_score": [finding(drawn, marked, score) for score in SCORES],
    }
    drawn_names = [name for name, (faces, _, _) in drawn.items() for face in faces if sure(face)]
    drawn_chips = [chips[[sure(face) for face in faces]] for faces, chips, _ in drawn.values()]
    seconds = [s for _, _, s in (*seen.values(), *drawn.values())]
    result = {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs",
        "finding": found,
        "grouping": grouping(names, vectors, seen),
        "nearest drawn faces": nearest(drawn_names, embed(np.concatenate(drawn_chips))),
        "seconds": {"picture": float(np.median(seconds)), "vector": embed_s},
    }
    RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    show(result)


def look(file: Path, cut: FaceCutter) -> tuple[list[Face], np.ndarray, float]:
    """Return the faces of a picture, their pixels, and the seconds that took."""
    with Image.open(file) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    pixels = np.array(Image.alpha_composite(white, image).convert("RGB"))
    began = time.perf_counter()
    faces, chips = cut(pixels)
    return faces, chips, time.perf_counter() - began


def people_in(name: str) -> list[str]:
    """Return who a photograph shows, from left to right."""
    if name == "two-people.jpg":
        return ["biden", "collins"]
    return [person_of(name)] if person_of(name) else []


def finding_by_count(
    seen: dict[str, tuple[list[Face], np.ndarray, float]], score: float
) -> dict[str, float]:
    """Return precision and recall where each photograph's number of faces is known."""
    right = wrong = missed = 0
    for name, (faces, _, _) in seen.items():
        count, there = sum(face.score >= score for face in faces), len(people_in(name))
        right += min(count, there)
        wrong += max(0, count - there)
        missed += max(0, there - count)
    return shares(score, right, wrong, missed)


def finding(
    seen: dict[str, tuple[list[Face], np.ndarray, float]], marked: Boxes, score: float
) -> dict[str, float]:
    """Return precision and recall against marked boxes."""
    right = wrong = missed = 0
    for name, (faces, _, _) in seen.items():
        left = list(marked[name])
        for face in (each for each in faces if each.score >= score):
            box = (face.left, face.top, face.width, face.height)
            best = max(left, key=lambda other: overlap(box, other), default=None)
            if best is not None and overlap(box, best) >= SHARED:
                left.remove(best)
                right += 1
            else:
                wrong += 1
        missed += len(left)
    return shares(score, right, wrong, missed)


def shares(score: float, right: int, wrong: int, missed: int) -> dict[str, float]:
    return {
        "min_score": score,
        "right": right,
        "wrong": wrong,
        "missed": missed,
        "precision": right / max(right + wrong, 1),
        "recall": right / max(right + missed, 1),
    }


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Return the area that two boxes share, over that of their union."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    both = max(0.0, width) * max(0.0, height)
    return both / (one[2] * one[3] + other[2] * other[3] - both)


def read_marked() -> Boxes:
    """Return the boxes marked by eye; a picture without a face has none."""
    marked: Boxes = {}
    with MARKED.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            boxes = marked.setdefault(row["path"], [])
            if row["x"]:
                x, y, width, height = (float(row[c]) for c in ("x", "y", "width", "height"))
                boxes.append((x, y, width, height))
    return marked


def grouping(
    names: list[tuple[str, int]],
    vectors: np.ndarray,
    seen: dict[str, tuple[list[Face], np.ndarray, float]],
) -> dict[str, object]:
    """Return distances within and between people, and DBSCAN's groups against who they show."""
    people = []
    for name, place in names:
        faces, shown = seen[name][0], people_in(name)
        from_left = sorted(range(len(faces)), key=lambda n: faces[n].left).index(place)
        people.append(shown[from_left] if len(shown) == len(faces) else "?")
    who = np.array(people)
    distance = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    same = who[:, None] == who[None]
    one = distance[same & ~np.eye(len(who), dtype=bool)]
    knee = knee_distance(vectors, 1)
    groups = {}
    for eps in (0.3, 0.35, 0.42, 0.45, 0.5, 0.55, 0.6, 0.7, knee):
        found = dbscan(vectors, eps=eps, min_samples=2)
        labels = np.full(len(who), -1) if found is None else found.labels_N
        groups[f"{eps:.3g}"] = {
            "ari": float(adjusted_rand_score(who, labels)),
            "groups": int(labels.max()) + 1,
            "noise": int((labels < 0).sum()),
        }
    return {
        "faces": len(who),
        "people": len(set(people)),
        "same person": [float(q) for q in np.quantile(one, (0, 0.5, 1))],
        "others": [float(q) for q in np.quantile(distance[~same], (0, 0.5, 1))],
        "knee": knee,
        "dbscan by eps": groups,
    }


def sure(face: Face) -> bool:
    return face.score >= FaceLimits().min_score


def nearest(names: list[str], vectors: np.ndarray) -> list[tuple[float, str, str]]:
    """Return the least distances between faces, and whose they are."""
    distance = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    pairs = zip(*np.triu_indices(len(names), 1), strict=True)
    found = sorted((round(float(distance[i, j]), 3), names[i], names[j]) for i, j in pairs)
    return found[:8]


def show(result: dict) -> None:
    for kind, case in result["finding"].items():
        print(f"{kind}: {case['pictures']} pictures, {case['faces']} faces")
        print(
            f"{'min_score':>12}{'right':>8}{'wrong':>8}{'missed':>8}{'precision':>11}{'recall':>8}"
        )
        for row in case["by min_score"]:
            print(
                f"{row['min_score']:12.1f}{row['right']:8}{row['wrong']:8}{row['missed']:8}"
                f"{row['precision']:11.2f}{row['recall']:8.2f}"
            )
    groups = result["grouping"]
    for kind in ("same person", "others"):
        least, middle, most = groups[kind]
        print(f"distance, {kind}: {least:.2f} to {most:.2f}, median {middle:.2f}")
    print(f"{groups['faces']} faces of {groups['people']} people; knee {groups['knee']:.3f}")
    for eps, row in groups["dbscan by eps"].items():
        print(f"  eps {eps:>6}: {row['groups']} groups, {row['noise']} noise, ARI {row['ari']:.3f}")
    for distance, one, other in result["nearest drawn faces"]:
        print(f"  {distance:.3f}  {one}  {other}")
    seconds = result["seconds"]
    print(f"{seconds['picture']:.3f} s a picture, {seconds['vector']:.3f} s a face's vector")


if __name__ == "__main__":
    main()
