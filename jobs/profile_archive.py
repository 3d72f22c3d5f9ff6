"""`artcluster profile` as a Ray job: `python jobs/profile_archive.py …`, submitted as others."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from artcluster.cli import main

if __name__ == "__main__":
    main(["profile", *sys.argv[1:]])
