"""`artcluster check` as a Ray job: ray job submit --working-dir . -- python jobs/check.py …"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from artcluster.cli import main

if __name__ == "__main__":
    main(["check", *sys.argv[1:]])
