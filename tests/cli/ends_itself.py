"""A program: the command line, in a process that is sent SIGTERM while it embeds its third part."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any
from unittest import mock

from artcluster.cli import main
from artcluster.workflows.embedding import embed as embed_pipeline
from artcluster.workflows.embedding.embed_task import EmbedPart

PART = 3


def asking(step: EmbedPart) -> Callable[[], Callable[[Any], Any]]:
    """Return the step, which has the process asked to end in the middle of a part."""

    def make() -> Callable[[Any], Any]:
        function, seen = step(), []

        def apply(part: Any) -> Any:
            seen.append(part)
            if len(seen) == PART:
                os.kill(os.getpid(), signal.SIGTERM)
            return function(part)

        return apply

    return make


if __name__ == "__main__":
    with mock.patch.object(embed_pipeline, "EmbedPart", lambda **given: asking(EmbedPart(**given))):
        main(sys.argv[1:])
