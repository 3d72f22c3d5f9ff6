"""What can be set has its default in the config alone."""

from dataclasses import MISSING, fields

import pytest

from artcluster.clustering.consensus import ConsensusConfig
from artcluster.config import (
    CaeSettings,
    ClusterSettings,
    DcecSettings,
    DecSettings,
    GenreSettings,
    MapSettings,
    PcaSettings,
    PretrainSettings,
    TemiSettings,
    from_settings,
)
from artcluster.config.base import Settings
from artcluster.config.study import BackboneStudySettings
from artcluster.projection.layout import LayoutSettings
from artcluster.training.autoencoders import PretrainConfig
from artcluster.training.classification import ClassifierConfig
from artcluster.training.principal_components import PcaConfig
from artcluster.training.reconstruction import ReconstructionConfig
from artcluster.training.refinement import DecConfig
from artcluster.training.temi import TemiConfig

PLACE = {"max_images"}
DENSE = {"hidden", "code_dim", "initialisation", "guard_margin"}


@pytest.mark.parametrize(
    ("kind", "section", "elsewhere"),
    [
        (DecConfig, DecSettings, DENSE),
        (DecConfig, DcecSettings, {"balance", "guard_margin"}),
        (PretrainConfig, PretrainSettings, set()),
        (ReconstructionConfig, CaeSettings, PLACE),
        (ReconstructionConfig, GenreSettings, PLACE),
        (PcaConfig, PcaSettings, PLACE),
        (TemiConfig, TemiSettings, {"neighbours"}),
        (LayoutSettings, MapSettings, {"method", "pca_dim", "max_fitted", "max_bytes"}),
    ],
)
def test_every_setting_reaches_the_code_under_its_name(
    kind: type, section: type[Settings], elsewhere: set[str]
) -> None:
    """A setting that is renamed in one place is a failure here, as is a default stated twice."""
    settable = set(section.model_fields) - elsewhere
    assert settable <= {field.name for field in fields(kind)}
    assert _defaults(kind) & settable == set()


@pytest.mark.parametrize(
    ("kind", "section"),
    [(ConsensusConfig, ClusterSettings), (ClassifierConfig, BackboneStudySettings)],
)
def test_no_default_is_stated_twice(kind: type, section: type[Settings]) -> None:
    assert _defaults(kind) & set(section.model_fields) == set()


def _defaults(kind: type) -> set[str]:
    return {field.name for field in fields(kind) if field.default is not MISSING}


def test_a_field_that_no_setting_fills_is_missed() -> None:
    with pytest.raises(TypeError, match="seed"):
        from_settings(DecConfig, DecSettings())
