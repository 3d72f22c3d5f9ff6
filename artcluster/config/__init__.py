"""What can be set: one model a stage, checked when loaded, from YAML and overrides."""

from artcluster.config.archive import ArchiveSettings, MetadataSettings
from artcluster.config.cluster import ClusterSettings, DecSettings
from artcluster.config.embed import EmbedSettings
from artcluster.config.images import ImageSettings
from artcluster.config.job import Config, StoreSettings
from artcluster.config.load import load_config
from artcluster.config.training import CaeSettings, PretrainSettings

__all__ = [
    "ArchiveSettings",
    "CaeSettings",
    "ClusterSettings",
    "Config",
    "DecSettings",
    "EmbedSettings",
    "ImageSettings",
    "MetadataSettings",
    "PretrainSettings",
    "StoreSettings",
    "load_config",
]
