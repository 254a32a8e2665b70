"""`python -m wirespeed`: the `wirespeed` command."""

import sys

from wirespeed.cli import main

if __name__ == "__main__":
    sys.exit(main())
