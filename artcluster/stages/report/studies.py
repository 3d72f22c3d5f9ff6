"""Studies of the archive, as a report links to them."""

from collections.abc import Callable

from artcluster.stages.studies.record import studies_of
from artcluster.store import Store

_MOST = 20
_TITLES = {"genres": "Genres by reconstruction", "backbones": "Backbones fine-tuned"}


def copy_studies(
    store: Store, archive_id: str, write: Callable[[str, bytes], object]
) -> list[tuple[str, str, str]]:
    """Copy the pages of an archive's last studies into a report; return address, title and date."""
    found = []
    for each in studies_of(store, archive_id)[:_MOST]:
        source, address = f"{each.study.folder}/index.html", f"studies/{each.study.study_id}.html"
        if store.exists(source):
            write(address, store.read_bytes(source))
            title = f"{_TITLES[each.study.kind]}, by {each.study.label}"
            found.append((address, title, f"{each.created_at:%Y-%m-%d}"))
    return found
