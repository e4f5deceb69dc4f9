# SPDX-License-Identifier: BSD-2-Clause
"""How the tool says what is wrong: key path and reason, all findings at once."""

import difflib


class ManifestError(Exception):
    """One or more findings; each is one line for the user."""

    def __init__(self, findings):
        super().__init__("\n".join(findings))
        self.findings = findings


class Findings:
    """Collects findings, so that one run shows everything that is wrong."""

    def __init__(self):
        self.lines = []

    def add(self, path, reason):
        self.lines.append(f"{path}: {reason}")

    def stop_if_any(self):
        if self.lines:
            raise ManifestError(self.lines)


def suggest(word, known):
    """' (did you mean 'x'?)' or the list of what is known."""
    close = difflib.get_close_matches(str(word), sorted(known), 1, 0.6)
    if close:
        return f" (did you mean '{close[0]}'?)"
    return " (known: " + ", ".join(sorted(known)) + ")"
