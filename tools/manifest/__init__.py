# SPDX-License-Identifier: BSD-2-Clause
"""ringfence-image: checks a TOML manifest and lowers it to the boot image init reads."""
