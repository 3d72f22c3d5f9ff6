"""Real trained weights of a DenseNet121, out of a package that pickles whole objects."""

import importlib.util
import io
import pickle
from pathlib import Path
from typing import Any

import torch

from tests.absent import absent


class Shell:
    """Stands for any class of the pickle, whose own code is not run: keeps its state alone."""

    def __init__(self, *args: Any) -> None: ...


class TensorsOnly(pickle.Unpickler):
    """Opens a pickle of modules: tensors are rebuilt, everything else is an empty shell."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch.storage", "_load_from_bytes"):
            return lambda data: torch.load(io.BytesIO(data), "cpu", weights_only=True)
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return torch._utils._rebuild_tensor_v2
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda tensor, requires_grad, hooks: tensor
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        return type(name, (Shell,), {})


def font_densenet121() -> dict[str, torch.Tensor]:
    """Return the font-trained DenseNet121 of ocrd-typegroups-classifier, classifier included."""
    spec = importlib.util.find_spec("ocrd_typegroups_classifier")
    if spec is None or not spec.submodule_search_locations:
        absent("ocrd-typegroups-classifier (requirements-weights.lock)")
    path = Path(spec.submodule_search_locations[0]) / "models" / "densenet121.tgc"
    with path.open("rb") as file:
        return dict(_tensors(TensorsOnly(file).load().network, ""))


def _tensors(module: Any, prefix: str) -> Any:
    held = vars(module)
    for name, tensor in {**held["_parameters"], **held["_buffers"]}.items():
        if tensor is not None:
            yield prefix + name, tensor
    for name, child in held["_modules"].items():
        yield from _tensors(child, f"{prefix}{name}.")
