#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The manual as built: well-formed, every link resolves, everything of abi.toml stands in it, and the man pages
please groff and mandoc. And what abi.toml may not say about its clauses. MANUAL names the directory."""

import copy
import os
import pathlib
import shutil
import subprocess
import sys
import tomllib
import unittest
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
MANUAL = pathlib.Path(os.environ.get("MANUAL", ROOT / "build" / "manual"))
sys.path.insert(0, str(ROOT / "pv-abi" / "gen"))

import manual  # noqa: E402
import pvgen  # noqa: E402
import registry  # noqa: E402

ABI = tomllib.loads((ROOT / "pv-abi" / "abi.toml").read_text())
SHAPES = pvgen.layout(ABI)
CLAUSES = list(registry.clauses(ABI))


def words(element):
    return " ".join("".join(element.itertext()).split())


class Html(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = ElementTree.fromstring((MANUAL / "pv-abi.html").read_text())
        cls.anchors = {element.get("id"): element for element in cls.root.iter() if element.get("id")}

    def test_needs_nothing_else(self):
        for element in self.root.iter():
            self.assertNotIn(element.tag, ("script", "link", "img", "iframe"))
            self.assertIsNone(element.get("src"))
        self.assertNotIn("url(", words(self.root.find("head/style")))

    def test_anchors_are_unique_and_links_resolve(self):
        ids = [element.get("id") for element in self.root.iter() if element.get("id")]
        self.assertEqual(len(ids), len(set(ids)))
        for element in self.root.iter("a"):
            href = element.get("href")
            self.assertTrue(href.startswith("#") and href[1:] in self.anchors, href)

    def test_every_clause_with_text_reason_version_and_tests(self):
        for clause in CLAUSES:
            article = self.anchors[clause.number]
            self.assertIn(f"revision {clause.revision}, since {clause.since}", words(article))
            self.assertIn(clause.text.replace("`", ""), words(article))
            if clause.own_rationale:
                self.assertIn(clause.rationale.replace("`", ""), words(article))
            tests = [link for link in article.iter("a") if link.get("href").startswith("#test-")]
            self.assertTrue(tests, clause.id)

    def test_every_name(self):
        names = [f"call-{call['name']}" for call in ABI["hypercall"]]
        names += [f"{call['name']}-{op['name']}" for call in ABI["hypercall"] for op in call.get("ops", [])]
        names += [name for name in manual.load(ROOT / "pv-abi" / "abi.toml", MANUAL.parent / "pv-abi" / "doc"
                                               / "citations.json").constants
                  if name not in ("PV_ABI_MAJOR", "PV_ABI_MINOR", "PV_HC_COUNT")]
        names += [f"pv_{name}.{field['name']}" for name, (_, _, fields) in SHAPES.items() for field, _ in fields]
        for name in names:
            self.assertIn(name, self.anchors)

    def test_errors_stand_in_order_of_precedence(self):
        order = [f"PV_{error['name']}" for error in ABI["error"]]
        lists = [element for element in self.root.iter("ol") if element.get("class") == "errors"]
        self.assertEqual(len(lists), len(ABI["hypercall"]))
        for call, element in zip(ABI["hypercall"], lists):
            found = [words(item).split()[0] for item in element.iter("li")]
            self.assertEqual(found, [name for name in order if name[3:] in ["ENOSYS", *call["errors"]]], call["name"])


class ManPages(unittest.TestCase):
    def pages(self):
        found = sorted((MANUAL / "man").rglob("*.[0-9]"))
        self.assertEqual(len(found), len(ABI["hypercall"]) + 4)
        return found

    def plain(self, name):
        path = next((MANUAL / "man").rglob(name))
        out = subprocess.run(["groff", "-man", "-Tascii", "-P-cbou", "-rHY=0", str(path)], check=True,
                             capture_output=True, text=True, env=os.environ | {"GROFF_NO_SGR": "1"}).stdout
        return " ".join(out.replace("\n\n", "\n").split())

    def test_groff_has_no_warning(self):
        for path in self.pages():
            result = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", str(path)], check=False,
                                    capture_output=True, text=True)
            self.assertEqual((result.returncode, result.stderr), (0, ""), path.name)

    def test_mandoc_has_no_warning(self):
        self.assertTrue(shutil.which("mandoc"), "mandoc is not installed")
        result = subprocess.run(["mandoc", "-T", "lint", *map(str, self.pages())], check=False,
                                capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stdout), (0, ""), result.stdout[:2000])

    def test_every_clause(self):
        text = self.plain("pv-abi-clauses.7")
        for clause in CLAUSES:
            self.assertIn(clause.id, text)
        pages = {call["name"]: self.plain(f"pv_{call['name'].lower()}.2") for call in ABI["hypercall"]}
        for area in ABI["area"]:
            for call in area.get("calls", []):
                for clause in CLAUSES:
                    if clause.area == area["name"]:
                        self.assertIn(clause.id, pages[call])

    def test_operations_and_errors(self):
        for call in ABI["hypercall"]:
            text = self.plain(f"pv_{call['name'].lower()}.2")
            for op in call.get("ops", []):
                self.assertIn(f"PV_{call['name']}_{op['name']} ({op['value']})", text)
            places = [text.index(f"PV_{name} ", text.index("ERRORS")) for name in ["ENOSYS", *call["errors"]]]
            self.assertEqual(places, sorted(places), call["name"])


PREFIX = "PVABI-"  # apart, because clauses.py takes an id in a test for a citation


class Rules(unittest.TestCase):
    """Each change to a good definition is refused with the name of the culprit."""

    def refused(self, change, *culprits):
        abi = copy.deepcopy(ABI)
        change(abi)
        found = "\n".join(registry.problems(abi))
        for culprit in culprits:
            self.assertIn(culprit, found)

    def test_today_is_good(self):
        self.assertEqual(registry.problems(ABI), [])

    def test_a_number_that_vanishes(self):
        self.refused(lambda abi: abi["clause"].remove(abi["clause"][2]),
                     "PVABI-GEN-003 is neither a clause nor retired")

    def test_a_number_used_again(self):
        def change(abi):
            abi["retired"] = [{"id": "PVABI-GEN-003", "until": "1.0", "why": "a test"}]
        self.refused(change, PREFIX + "GEN-003.1: the number was retired")

    def test_a_retired_number_is_enough(self):
        abi = copy.deepcopy(ABI)
        del abi["clause"][2]
        abi["retired"] = [{"id": "PVABI-GEN-003", "until": "1.0", "why": "a test"}]
        self.assertEqual(registry.problems(abi), [])

    def test_two_revisions(self):
        self.refused(lambda abi: abi["clause"].append({"id": PREFIX + "GEN-003.2", "text": "x"}),
                     "PVABI-GEN-003 is defined twice")

    def test_a_gap(self):
        self.refused(lambda abi: abi["clause"].append({"id": PREFIX + "LIF-009.1", "text": "x"}),
                     "PVABI-LIF-002 is neither")

    def test_an_area_nobody_knows(self):
        self.refused(lambda abi: abi["clause"].append({"id": PREFIX + "XYZ-001.1", "text": "x"}), PREFIX + "XYZ-001.1")

    def test_a_promise_without_reason(self):
        self.refused(lambda abi: abi["area"][1].pop("rationale"), PREFIX + "INF-002.1", "rationale")

    def test_a_promise_of_the_future(self):
        self.refused(lambda abi: abi["clause"][0].update(since="7.1"), PREFIX + "GEN-001.1 is since 7.1")

    def test_a_call_without_clauses(self):
        self.refused(lambda abi: abi["area"][1].pop("calls"), "hypercall INFO: no area")

    def test_a_name_that_does_not_exist(self):
        book = manual.Manual(ABI, SHAPES, CLAUSES, {})
        for text in ("PV_NO_SUCH_THING", "struct pv_none", "see PVABI-GEN-999"):
            with self.assertRaises(pvgen.AbiError):
                list(book.pieces(text))


if __name__ == "__main__":
    unittest.main()
