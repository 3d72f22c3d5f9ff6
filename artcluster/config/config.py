"""The whole of what a job is told: where images and store are, and every stage's settings."""

from typing import Annotated

from pydantic import Field

from artcluster.config.base import Settings
from artcluster.config.clustering import ClusterSettings, TrialSettings, UpdateSettings
from artcluster.config.embedding import (
    ArchiveSettings,
    EmbedSettings,
    ImageSettings,
    MetadataSettings,
)
from artcluster.config.study import StudySettings
from artcluster.config.viewing import (
    DuplicatesSettings,
    MapSettings,
    ProfileSettings,
    ReportSettings,
    SearchSettings,
)


class VacuumSettings(Settings):
    """What is kept. A run goes only where none of the rules keeps it."""

    keep_runs: Annotated[int, Field(ge=1)] = 30
    """The last so many runs of each archive are kept …"""
    keep_days: Annotated[float, Field(ge=0)] = 90.0
    """… and those younger than this. Runs with names or edits that people made are always kept."""
    keep_files_hours: Annotated[float, Field(ge=0)] = 24.0
    """A file that no longer counts stays so long, for jobs and readers that began before: longer
    than the longest of them. 0 is for a store that nobody reads meanwhile."""
    keep_unfinished_days: Annotated[float, Field(ge=0)] = 7.0
    """What a job left unfinished stays so long: models without a run, checkpoints, pixels."""
    merge_files: Annotated[int, Field(ge=2)] = 16
    """So many small files of a table or partition are merged …"""
    small_file_bytes: Annotated[int, Field(gt=0)] = 32 << 20
    """… which are smaller than this …"""
    merged_file_bytes: Annotated[int, Field(gt=0)] = 128 << 20
    """… into files of about this size, which fits into memory a few times over."""


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
