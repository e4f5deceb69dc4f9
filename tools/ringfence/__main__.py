# SPDX-License-Identifier: BSD-2-Clause
"""Entry of the front door: makes the package importable and hands over to cli.py."""

import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parent.parent)

from ringfence import cli  # noqa: E402

if __name__ == "__main__":
    sys.exit(cli.main(sys.argv[1:]))
