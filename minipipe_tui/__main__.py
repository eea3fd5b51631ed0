"""`python -m minipipe_tui`: the same as the console script."""

import sys

from minipipe_tui.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
