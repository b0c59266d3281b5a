"""`python -m embedseg`, where the command is not on the path."""

import sys

from embedseg.cli import main

sys.exit(main())
