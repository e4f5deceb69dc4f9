# SPDX-License-Identifier: BSD-2-Clause
"""Implementation of the ./ringfence command, one module per subject."""

VERSION = "0.1.0"
