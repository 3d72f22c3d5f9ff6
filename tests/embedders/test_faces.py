"""The embedder of faces: its contract, its alignment, and that it tells people apart."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artcluster.embedders import (
    Contract,
    FaceRecipe,
    finds_faces,
    load,
    load_state,
    prepare,
    save_state,
)
from artcluster.embedders.faces import FaceCutter, bytes_of, packaged_weights
from artcluster.errors import UsageError
from artcluster.images.faces import FaceLimits
from tests.faces import PICTURES, person_of


@pytest.fixture(scope="module")
def prepared() -> tuple[Contract, dict]:
    return prepare("faces", pixel_policy_id="v1-squash-scaled", fit="squash")


@pytest.fixture(scope="module")
def cutter(prepared: tuple[Contract, dict]) -> FaceCutter:
    contract, state = prepared
    return FaceCutter(FaceRecipe.of_text(contract.fit), bytes_of(state["landmarks"]))


def picture(name: str) -> np.ndarray:
    return np.array(Image.open(PICTURES / name).convert("RGB"))


def test_the_contract_names_detector_weights_and_alignment(prepared: tuple[Contract, dict]) -> None:
    contract, state = prepared
    assert (contract.dim, contract.input_px) == (128, (150, 150))
    assert finds_faces(contract.embedder_id)
    assert Contract.from_json(contract.to_json()).embedder_id == contract.embedder_id
    recipe = FaceRecipe.of_text(contract.fit)
    assert recipe.detector == "yuface 2023.5.1"
    others = [
        FaceRecipe(recipe.detector, picture_px=1024),
        FaceRecipe(recipe.detector, limits=FaceLimits(min_score=0.9)),
        FaceRecipe("yuface 2024.1.1"),
    ]
    ids = {contract.embedder_id}
    for other in others:
        changed, _ = prepare("faces", pixel_policy_id="v1-squash-scaled", fit="", faces=other)
        ids.add(changed.embedder_id)
    assert len(ids) == 4
    with pytest.raises(UsageError, match="find them anew"):
        FaceCutter(others[2], bytes_of(state["landmarks"]))


@pytest.mark.parametrize("setting", [{"input_px": 224}, {"precision": "bfloat16"}])
def test_what_faces_have_no_use_for_is_refused(setting: dict) -> None:
    with pytest.raises(UsageError, match="cannot be set"):
        prepare("faces", pixel_policy_id="v1", fit="", **setting)
    with pytest.raises(UsageError, match="random:faces"):
        prepare("random:faces", pixel_policy_id="v1", fit="")


def test_one_persons_faces_are_near_and_others_far(
    prepared: tuple[Contract, dict], cutter: FaceCutter
) -> None:
    contract, state = prepared
    names = sorted(file.name for file in PICTURES.iterdir() if person_of(file.name))
    faces = {}
    for name in names:
        (face,), chips = cutter(picture(name))
        assert chips.shape == (1, 150, 150, 3)
        assert face.score > 0.8
        faces[name] = chips[0]
    pixels = np.stack(list(faces.values()))
    pixels.flags.writeable = False  # as it comes out of Ray's shared memory
    # As a worker has it: from the store's file of weights.
    embed = load(contract, lambda: load_state(save_state(state)))
    vectors = embed(pixels)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(names), 128)
    assert np.allclose(embed(pixels[2:3]), vectors[2:3], atol=1e-5)
    distance = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    for i, one in enumerate(names):
        for j, other in enumerate(names):
            if i != j:
                same = person_of(one) == person_of(other)
                assert (distance[i, j] < 0.5) if same else (distance[i, j] > 0.6)


def test_faces_are_turned_upright(cutter: FaceCutter) -> None:
    portrait = Image.open(PICTURES / "hopper-portrait.jpg").convert("RGB")
    _, (upright,) = cutter(np.array(portrait))
    _, (turned,) = cutter(np.array(portrait.rotate(20, Image.Resampling.BICUBIC, fillcolor="blue")))
    aside = np.abs(upright.astype(int) - turned)[40:110, 40:110].mean()
    other = np.abs(upright.astype(int) - cutter(picture("biden-portrait.jpg"))[1][0])
    assert aside < 0.5 * other[40:110, 40:110].mean()


def test_a_picture_without_faces_gives_none(
    prepared: tuple[Contract, dict], cutter: FaceCutter
) -> None:
    faces, chips = cutter(picture("coffee.jpg"))
    assert faces == []
    assert chips.shape == (0, 150, 150, 3)
    assert load(*prepared)(chips).shape == (0, 128)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"artcluster\[faces\]"):
        packaged_weights()
