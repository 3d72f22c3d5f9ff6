"""`artcluster plan` as a Ray job: ray job submit --working-dir . -- python jobs/plan.py …"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from artcluster.cli import main

if __name__ == "__main__":
    main(["plan", *sys.argv[1:]])
