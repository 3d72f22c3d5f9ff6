import pickle

import pytest
import torch

from artcluster.errors import StoreError
from artcluster.executors.checkpoints import Checkpoints

STATE = {"step": 3, "layers": [torch.arange(4.0)], "name": "dec", "labels": None}


def check(checkpoints):
    assert checkpoints.load() is None
    checkpoints.save(STATE)
    checkpoints.save({**STATE, "step": 4})
    found = checkpoints.load()
    assert found["step"] == 4
    assert torch.equal(found["layers"][0], STATE["layers"][0])


def test_the_last_one_is_found(tmp_path):
    check(Checkpoints.at(str(tmp_path / "new"), "models/a"))


def test_the_last_one_is_found_on_s3(s3):
    check(Checkpoints.at(s3.location(), "models/a"))


def test_what_could_not_be_read_back_is_refused_when_saved(tmp_path):
    with pytest.raises(TypeError, match="tensors, numbers, strings"):
        Checkpoints.at(str(tmp_path), "a").save({"when": object()})


def test_a_checkpoint_never_runs_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    checkpoints = Checkpoints.at(str(tmp_path), "a")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "checkpoint.pt").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(StoreError, match="cannot be read"):
        checkpoints.load()
    assert not (tmp_path / "ran").exists()
