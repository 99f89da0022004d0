"""`python -m compiler` is `accordant`."""

import sys

from compiler.command.main import main

sys.exit(main())
