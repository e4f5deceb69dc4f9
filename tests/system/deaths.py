# SPDX-License-Identifier: BSD-2-Clause
"""How often a back end dies at random. `boot(system, seed)` is one boot with four places to die at; it answers how many
deaths there were."""

from harness import Wrong


def few(boot, system):
    """Three seeds, of which half the deaths at least must happen."""
    deaths = sum(boot(system, seed) for seed in range(3))
    if deaths < 6:
        raise Wrong(f"only {deaths} of 12 deaths happened")
    print(f"{deaths} deaths")


def thousand(boot, system):
    deaths = seed = 0
    while deaths < 1000:
        seed += 1
        deaths += boot(system, 1000 + seed)
    print(f"{deaths} deaths in {seed} boots")
