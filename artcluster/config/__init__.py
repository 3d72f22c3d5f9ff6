"""What can be set: one model a stage, checked when loaded, from YAML and overrides."""

from artcluster.config.clustering import (
    ClusterSettings,
    DcecSettings,
    DecSettings,
    HdbscanSettings,
    TemiSettings,
    UpdateSettings,
)
from artcluster.config.config import Config, StoreSettings, VacuumSettings
from artcluster.config.embedding import (
    ArchiveSettings,
    CaeSettings,
    DbscanSettings,
    EmbedSettings,
    FaceSettings,
    GenreSettings,
    ImageSettings,
    MetadataSettings,
    PcaSettings,
    PretrainSettings,
)
from artcluster.config.from_settings import from_settings
from artcluster.config.load import given_over, load_config
from artcluster.config.viewing import MapSettings, ReportSettings, SearchSettings

__all__ = [
    "ArchiveSettings",
    "CaeSettings",
    "ClusterSettings",
    "Config",
    "DbscanSettings",
    "DcecSettings",
    "DecSettings",
    "EmbedSettings",
    "FaceSettings",
    "GenreSettings",
    "HdbscanSettings",
    "ImageSettings",
    "MapSettings",
    "MetadataSettings",
    "PcaSettings",
    "PretrainSettings",
    "ReportSettings",
    "SearchSettings",
    "StoreSettings",
    "TemiSettings",
    "UpdateSettings",
    "VacuumSettings",
    "from_settings",
    "given_over",
    "load_config",
]
