"""The whole of what a job is told: where images and store are, and every stage's settings."""

from pydantic import Field

from artcluster.config.archive import ArchiveSettings, MetadataSettings
from artcluster.config.base import Settings
from artcluster.config.cluster import ClusterSettings
from artcluster.config.duplicates import DuplicatesSettings
from artcluster.config.embed import EmbedSettings
from artcluster.config.images import ImageSettings
from artcluster.config.profile import ProfileSettings
from artcluster.config.report import MapSettings, ReportSettings
from artcluster.config.search import SearchSettings
from artcluster.config.study import StudySettings
from artcluster.config.trials import TrialSettings
from artcluster.config.update import UpdateSettings
from artcluster.config.vacuum import VacuumSettings


class StoreSettings(Settings):
    """How the store is reached and written."""

    options: dict[str, str] = Field(default_factory=dict, repr=False)
    """Storage options (credentials, endpoint) of the store; never written anywhere."""
    lease_ttl_s: float = Field(60.0, ge=1)
    """A job that has not renewed its lease for so long is taken for dead."""
    lease_wait_s: float = Field(75.0, ge=0)
    """How long to wait for a lease that another job holds before giving up; longer than the ttl, so
    that the lease of a machine that was taken away falls free meanwhile."""
    memory_bytes: int = Field(2 << 30, ge=1 << 28)
    """Memory that joins over the store's tables may take before they spill to disk."""


class Config(Settings):
    """Everything that can be set for one job."""

    archive: ArchiveSettings = ArchiveSettings()
    metadata: MetadataSettings = MetadataSettings()
    images: ImageSettings = ImageSettings()
    embed: EmbedSettings = EmbedSettings()
    cluster: ClusterSettings = ClusterSettings()
    update: UpdateSettings = UpdateSettings()
    store: StoreSettings = StoreSettings()
    search: SearchSettings = SearchSettings()
    map: MapSettings = MapSettings()
    report: ReportSettings = ReportSettings()
    vacuum: VacuumSettings = VacuumSettings()
    duplicates: DuplicatesSettings = DuplicatesSettings()
    study: StudySettings = StudySettings()
    trials: TrialSettings = TrialSettings()
    profile: ProfileSettings = ProfileSettings()

    def public(self) -> dict[str, object]:
        """Return the resolved config as plain values, without credentials, to be saved."""
        return self.model_dump(mode="json", exclude={"archive": {"options"}, "store": {"options"}})
