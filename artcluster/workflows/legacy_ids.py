"""Names that version 0.1.0 gave: a store that it wrote goes on with them.

That version named things by all settings of a section, defaults as well. A setting that has come
since is left out here, so that the names stay what they were.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from artcluster.config import CaeSettings, ClusterSettings, PcaSettings
from artcluster.workflows.job import fingerprint

_ADDED_SINCE: frozenset[str] = frozenset()
"""Settings of the section `cluster`."""


def legacy_run_id(facts: Mapping[str, Any], settings: ClusterSettings) -> str:
    """Return the run_id of a run that `cluster` made on such facts."""
    section = settings.model_dump(mode="json", exclude=set(_ADDED_SINCE))
    return fingerprint({**facts, "config": {"cluster": section}})


def legacy_model_id(facts: Mapping[str, Any], settings: ClusterSettings) -> str:
    """Return the model_id, or trial_id, of a fit by such facts."""
    left_out = {"labels", "workers", "use_gpu", *_ADDED_SINCE}
    section = settings.model_dump(mode="json", exclude=left_out)
    return f"{settings.method}-{fingerprint({**facts, 'settings': section})}"


def legacy_network(facts: Sequence[object], training: CaeSettings | PcaSettings) -> str:
    """Return what named a network that was trained on an archive."""
    return fingerprint([*facts, training.model_dump(mode="json")])
