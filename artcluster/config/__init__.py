"""What can be set: one model a stage, checked when loaded, from YAML and overrides."""

from artcluster.config.archive import ArchiveSettings, MetadataSettings
from artcluster.config.cluster import ClusterSettings, DcecSettings, DecSettings
from artcluster.config.embed import EmbedSettings
from artcluster.config.faces import DbscanSettings, FaceSettings
from artcluster.config.images import ImageSettings
from artcluster.config.job import Config, StoreSettings
from artcluster.config.load import given_over, load_config
from artcluster.config.report import MapSettings, ReportSettings
from artcluster.config.search import SearchSettings
from artcluster.config.training import CaeSettings, GenreSettings, PcaSettings, PretrainSettings
from artcluster.config.update import UpdateSettings
from artcluster.config.vacuum import VacuumSettings

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
    "ImageSettings",
    "MapSettings",
    "MetadataSettings",
    "PcaSettings",
    "PretrainSettings",
    "ReportSettings",
    "SearchSettings",
    "StoreSettings",
    "UpdateSettings",
    "VacuumSettings",
    "given_over",
    "load_config",
]
