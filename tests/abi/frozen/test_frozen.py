#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Whatever breaks programs built from a frozen version is named, what does not is let pass, and a frozen program or
copy that was edited is refused. PVABI-LAY-003.1"""

import copy
import pathlib
import struct
import sys
import tempfile
import tomllib
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "pv-abi" / "gen"), str(ROOT / "tests" / "abi" / "frozen")]

import digest  # noqa: E402
import freeze  # noqa: E402
import pvgen  # noqa: E402

ABI = tomllib.loads((ROOT / "pv-abi" / "abi.toml").read_text())
OLD = freeze.facts(ABI)


def named(things, name):
    return next(thing for thing in things if thing["name"] == name)


class Changes(unittest.TestCase):
    def found(self, change):
        abi = copy.deepcopy(ABI)
        change(abi)
        return list(freeze.differences(OLD, abi))

    def breaks(self, change, text):
        found = self.found(change)
        self.assertIn(text, found)

    def passes(self, change):
        self.assertEqual(self.found(change), [])

    def field(self, abi, struct_name, name):
        return named(named(abi["struct"], struct_name)["fields"], name)

    def call(self, abi, name, op=None):
        call = named(abi["hypercall"], name)
        return named(call["ops"], op) if op else call

    def test_nothing(self):
        self.passes(lambda abi: None)

    def test_a_constant(self):
        self.breaks(lambda abi: named(abi["group"], "limits")["constants"][3].update(value=8192),
                    "constant PV_MAX_PORTS was 4096, is 8192")
        self.breaks(lambda abi: named(abi["group"], "limits")["constants"].pop(3), "constant PV_MAX_PORTS is gone")

    def test_an_error(self):
        self.breaks(lambda abi: abi["error"][8].update(value=99), "constant PV_ENOENT was 9, is 99")

        def swap(abi):
            abi["error"][1], abi["error"][2] = abi["error"][2], abi["error"][1]
        self.assertTrue(any(text.startswith("errors: the order of precedence was ENOSYS EINVAL")
                            for text in self.found(swap)))

    def test_a_call(self):
        self.breaks(lambda abi: self.call(abi, "AS_MAP").update(nr=15), "hypercall AS_MAP: nr was 14, is 15")
        self.breaks(lambda abi: self.call(abi, "WAIT").update(args=["deadline", "flags"]),
                    "hypercall WAIT: args was ['flags', 'deadline'], is ['deadline', 'flags']")
        self.breaks(lambda abi: self.call(abi, "WAIT").update(max_insns=3000),
                    "hypercall WAIT: max_insns was 2000, is 3000")
        self.breaks(lambda abi: self.call(abi, "AS_MAP").update(name="MAP"), "hypercall AS_MAP is gone")

    def test_an_operation(self):
        self.breaks(lambda abi: self.call(abi, "PORT_CTL", "MOVE").update(value=9),
                    "constant PV_PORT_CTL_MOVE was 4, is 9")
        self.breaks(lambda abi: self.call(abi, "PORT_CTL")["ops"].pop(4), "hypercall PORT_CTL MOVE is gone")
        self.breaks(lambda abi: self.call(abi, "PORT_CTL", "MOVE").update(errors=["ERANGE"]),
                    "hypercall PORT_CTL MOVE: no longer documents ENOENT")

    def test_a_field(self):
        def swap(abi):
            fields = named(abi["struct"], "frame")["fields"]
            fields[1], fields[2] = fields[2], fields[1]
        self.breaks(swap, "struct frame: field rip was [16, 'u64', 1, 8], is [8, 'u64', 1, 8]")
        self.breaks(lambda abi: self.field(abi, "frame", "rip").update(name="ip"), "struct frame: field rip is gone")

        def grow(abi):
            shape = named(abi["struct"], "runstate")
            shape["fields"].append({"name": "more", "type": "u64", "doc": ""})
            shape["size"] += 8
        self.breaks(grow, "struct runstate: its size was 32, is 40")

    def test_a_clause(self):
        def edit(abi):
            abi["clause"][0]["text"] += " Or not."
        self.breaks(edit, "clause PVABI-GEN-001: its text has changed, but not its revision")
        self.breaks(lambda abi: abi["clause"].pop(0), "clause PVABI-GEN-001 is gone")

        def revise(abi, **more):
            abi["clause"][0].update(id="PVABI-" "GEN-001.2", text="x", **more)
        self.assertIn("it was revised and does not say in `compatible`", self.found(revise)[0])
        self.passes(lambda abi: revise(abi, compatible="only words"))

    def test_additions_pass(self):
        def add(abi):
            named(abi["group"], "features")["constants"].append({"name": "FEAT_X", "value": 1 << 40, "doc": ""})
            self.call(abi, "PORT_CTL")["ops"].append({"name": "X", "value": 8, "errors": ["ERANGE"], "doc": ""})
            self.call(abi, "PORT_SEND").update(max_insns=300)
            self.field(abi, "info_system", "reserved").update(name="new_fact")
            abi["clause"].append({"id": "PVABI-" "GEN-099.1", "text": "x"})
        self.passes(add)

    def test_another_major_version_owes_nothing(self):
        def leave(abi):
            abi["abi"]["major"] = 2
            abi["hypercall"].pop()
        self.passes(leave)


class Copies(unittest.TestCase):
    def test_what_is_written_is_read(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "copy.toml"
            body = "\n".join(freeze.dump(OLD))
            good = freeze.HEAD + f'sha256 = "{freeze.digest(body)}"\n' + body
            path.write_text(good)
            self.assertEqual(freeze.load(path), OLD)
            path.write_text(good.replace("nr = 14", "nr = 15"))
            with self.assertRaises(pvgen.AbiError):
                freeze.load(path)

    def test_the_copies_of_the_tree(self):
        copies = list(freeze.FROZEN.glob("*.toml"))
        self.assertTrue(copies)
        programs = tomllib.loads(digest.PROGRAMS.read_text())
        for path in copies:
            freeze.load(path)
            self.assertIn(path.stem, programs)

    def test_a_program_that_differs_in_one_bit(self):
        header = b"\x7fELF" + bytes(20) + struct.pack("<QQQIHHH", 0x400000, 64, 0, 0, 64, 56, 1) + bytes(6)
        segment = struct.pack("<IIQQQQQQ", 1, 5, 120, 0x400000, 0, 4, 4, 4096)
        elf = header + segment + b"\x90\x90\x90\xc3"
        self.assertEqual(len(header), 64)
        self.assertEqual(digest.digest(elf), digest.digest(elf + b"symbols"))
        self.assertNotEqual(digest.digest(elf), digest.digest(elf[:-1] + b"\xc2"))
        self.assertNotEqual(digest.digest(elf), digest.digest(elf.replace(b"\x05\0\0\0", b"\x07\0\0\0", 1)))


if __name__ == "__main__":
    unittest.main()
