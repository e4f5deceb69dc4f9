# SPDX-License-Identifier: BSD-2-Clause
"""The front door with a play-acting QEMU: exit statuses, quit key, time-out, signals, the terminal."""

import os
import pathlib
import pty
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time
import unittest
import unittest.mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from manifest.devices import MachineDisk  # noqa: E402
from ringfence import covered, debver, deps, disks, status, terminal, ui  # noqa: E402

FAKE = """#!/bin/sh
echo "$@" > "$FAKE_DIR/argv"
"""
WAIT = 30


class Versions(unittest.TestCase):
    def test_order(self):
        ordered = ["1.0~rc1", "1.0", "1.0-1", "1.0-1~deb12u1", "1.0-1+b1", "1.2", "1.10", "1:0.1"]
        ordered[2], ordered[3] = ordered[3], ordered[2]
        for low, high in zip(ordered, ordered[1:]):
            self.assertEqual((debver.compare(low, high), debver.compare(high, low)), (-1, 1),
                             f"{low} {high}")
        self.assertEqual(debver.compare("1:7.2+dfsg-7", "1:7.2+dfsg-7"), 0)
        self.assertEqual(debver.compare("6.12.117-1~deb12u1", "6.12.117-1~deb12u1"), 0)


class Covered(unittest.TestCase):
    """What tests print is added up, whatever prints it."""

    PRINTED = {
        "abi.memory": "60 cases: 59 passed, 0 failed, 1 skipped\n1200 instructions of 20000000000\n",
        "host.test_grant": "[==========] Running 7 test(s).\n[  PASSED  ] 7 test(s).\n",
        "host.manual": "....\nRan 20 tests in 0.6s\n\nOK\n",
        "host.fuzz_calls": "INFO: seed corpus\nDone 40000 runs in 3 second(s)\n",
        "nightly.model_diff": "WAIT  5 6\nseed 7: 100000123 calls in 90 episodes, 1562501 whole states compared, "
                              "447.0 s of CPU, 223714 calls/s: kernel and model agree\n",
        "nightly.races": "seed 100: 9 pauses, 500 instructions\nseed 101: 8 pauses, 501 instructions\n"
                         "2 seeds, failed: none\n",
        "system.shell": "shell: good, 77 instructions in 3 boots\n",
        "system.quiet": "",
        "system.oracle": "seeds 1 to 2: 18468 calls and 1532 accesses, 9029 of them by other domains, 29 that did not "
                         "come back at once, 312 whole states compared, 5.8 s: kernel and model agree\n",
    }

    def lines(self, each, status="run"):
        cases = "".join(f'<testcase name="{name}" time="100" status="{status}"><system-out>{text}</system-out></testcase>'
                        for name, text in self.PRINTED.items())
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "junit.xml"
            path.write_text(f'<testsuite>{cases}<testcase name="host.off" time="0" status="disabled"/></testsuite>')
            return list(covered.summary(covered.read(path), each))

    def test_totals(self):
        self.assertEqual(self.lines(each=False), [
            "abi: 1 tests, 60 cases, 1,200 instructions, 2 min of tests",
            "host: 3 tests, 28 cases, 40,000 inputs, 5 min of tests",
            "nightly: 2 tests, 2 cases, 100,000,123 calls, 1,562,501 states, 1,001 instructions, 2 seeds, 3 min of tests",
            "system: 3 tests, 3 cases, 18,468 calls, 312 states, 77 instructions, 5 min of tests"])

    def test_each(self):
        self.assertIn("  nightly.races: 1 cases, 1,001 instructions, 2 seeds, 2 min", self.lines(each=True))
        self.assertIn("  abi.memory: FAILED, 60 cases, 1,200 instructions, 2 min", self.lines(True, "fail"))

    def test_durations(self):
        self.assertEqual([covered.duration(s) for s in (0.04, 89, 90, 3569, 3570, 7300)],
                         ["0.0 s", "89.0 s", "2 min", "59 min", "1 h 0 min", "2 h 2 min"])


class Dependencies(unittest.TestCase):
    def test_list_is_complete(self):
        packages, _ = deps.load()
        self.assertEqual(len(packages), len({p.name for p in packages}))
        for package in packages:
            self.assertTrue(package.why and package.probe and package.groups, package.name)

    def test_install_command_names_everything(self):
        self.assertIn("apt-get install --no-install-recommends a b", deps.install_command(["a", "b"]))


class Installing(unittest.TestCase):
    """ensure() with play-acting dpkg-query, apt-get and sudo."""

    def ensure(self, uid, apt="touch $FAKE_DIR/installed", tools=("dpkg-query", "apt-get", "sudo")):
        packages, _ = deps.load()
        everything = "".join(f"echo 'ii  {p.name} 999:1'; " for p in packages if "build" in p.groups)
        scripts = {
            "dpkg-query": f"if [ -e $FAKE_DIR/installed ]; then {everything} else "
                          f"{everything.replace('ii  bison 999:1', 'un  bison ')} fi",
            "apt-get": f'echo "apt $*" >> $FAKE_DIR/log; case "$*" in *install*) {apt};; esac',
            "sudo": 'echo "sudo" >> $FAKE_DIR/log; exec "$@"',
        }
        with tempfile.TemporaryDirectory() as directory:
            for name in tools:
                path = pathlib.Path(directory) / name
                path.write_text("#!/bin/sh\n" + scripts[name] + "\n")
                path.chmod(0o755)
            for name in ("sh", "touch", "env"):
                (pathlib.Path(directory) / name).symlink_to(f"/usr/bin/{name}")
            script = ("import os, sys\nsys.path.insert(0, sys.argv[1])\n"
                      f"os.geteuid = lambda: {uid}\n"
                      "from ringfence import deps, ui\n"
                      "try:\n    deps.ensure(('build',))\n"
                      "except ui.Stop as stop:\n"
                      "    print(stop, stop.hint, file=sys.stderr)\n    sys.exit(stop.code)\n")
            result = subprocess.run(
                [sys.executable, "-B", "-c", script, str(ROOT / "tools")], capture_output=True,
                text=True, check=False,
                env={"PATH": directory, "FAKE_DIR": directory, "RINGFENCE_BUILD_DIR": directory})
            log = pathlib.Path(directory) / "log"
            return result, log.read_text() if log.exists() else ""

    def test_root(self):
        result, log = self.ensure(0)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertNotIn("sudo", log)
        self.assertIn("install --no-install-recommends bison\n", log)

    def test_user_with_sudo(self):
        result, log = self.ensure(1000)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(log.count("sudo"), 2)

    def test_user_without_sudo(self):
        result, log = self.ensure(1000, tools=("dpkg-query", "apt-get"))
        self.assertEqual((result.returncode, log), (status.MISSING, ""))
        self.assertIn("needs root or sudo", result.stderr)

    def test_failure_names_what_is_missing(self):
        result, _ = self.ensure(0, apt="echo E: no network; exit 100")
        self.assertEqual(result.returncode, status.MISSING)
        self.assertIn("could not install: bison", result.stderr)
        self.assertIn("E: no network", result.stderr)


class Disks(unittest.TestCase):
    """The images of [[machine.disk]]: found, made, or named with what is wrong."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name) / "d.img"

    def disk(self, size=1 << 20, read_only=False):
        return MachineDisk(0, "00:05.0", str(self.path), size, read_only)

    def refuses(self, disk, text):
        with self.assertRaises(ui.Stop) as caught:
            disks.find(disk)
        self.assertIn("machine.disk[0].file: ", str(caught.exception))
        self.assertIn(text, str(caught.exception))
        self.assertEqual(caught.exception.code, status.USAGE)

    def test_missing(self):
        self.refuses(self.disk(size=0), "there is no disk image")
        self.refuses(self.disk(read_only=True), "an empty one that takes no writes is of no use")
        self.assertEqual(disks.find(self.disk()), self.path)
        self.assertEqual(self.path.read_bytes(), bytes(1 << 20))

    def test_made_with_a_file_system(self):
        disk = MachineDisk(0, "00:05.0", str(self.path), 4 << 20, False, "ext4")
        self.assertEqual(disks.find(disk), self.path)
        made = self.path.read_bytes()
        self.assertEqual((len(made), made[1080:1082]), (4 << 20, b"\x53\xef"))
        self.path.write_bytes(b"mine" + made[4:])  # it is made once
        self.assertEqual(disks.find(disk), self.path)
        self.assertEqual(self.path.read_bytes()[:4], b"mine")
        self.path.unlink()
        with unittest.mock.patch.object(disks, "MKFS", "/bin/false"):
            self.refuses(disk, "could not make its file system")
        self.assertEqual(list(self.path.parent.iterdir()), [])

    def test_room_to_grow(self):
        usage = unittest.mock.Mock(free=1000)
        with unittest.mock.patch("shutil.disk_usage", return_value=usage), \
                unittest.mock.patch.object(ui, "warn") as warn:
            disks.find(self.disk())
            self.path.write_bytes(bytes(1 << 20))  # all of it is there
            disks.find(self.disk())
        self.assertEqual(warn.call_count, 1)
        self.assertIn("may grow by 1 MiB and there is room for 0", warn.call_args[0][0])

    def test_sizes(self):
        self.path.write_bytes(bytes(4096))
        self.refuses(self.disk(), "has 4096 bytes, the manifest says 1048576: it is truncated")
        self.assertEqual(disks.find(self.disk(size=0)), self.path)
        self.path.write_bytes(bytes(1000))
        self.refuses(self.disk(size=0), "has 1000 bytes, which is no whole number of sectors")
        self.path.write_bytes(b"")
        self.refuses(self.disk(size=0), "has 0 bytes")

    def test_what_it_is(self):
        self.path.mkdir()
        self.refuses(self.disk(size=0), "is not a file")

    def test_rights(self):
        self.path.write_bytes(bytes(4096))
        for missing, disk, text in ((os.R_OK, self.disk(0), "cannot be read"),
                                    (os.W_OK, self.disk(0), "cannot be written")):
            with unittest.mock.patch("os.access", lambda _path, mode, missing=missing: mode != missing):
                self.refuses(disk, text)
        with unittest.mock.patch("os.access", lambda _path, mode: mode != os.W_OK):
            self.assertEqual(disks.find(self.disk(0, read_only=True)), self.path)

    def test_words_for_qemu(self):
        words = " ".join(disks.qemu_arguments(self.disk(read_only=True), self.path))
        self.assertIn("virtio-blk-pci,drive=disk0,addr=05.0", words)
        self.assertIn("readonly=on", words)
        self.assertIn("werror=report", words)
        self.assertNotIn("iommu_platform", words)
        self.assertIn("iommu_platform=on", disks.qemu_arguments(self.disk(), self.path, iommu=True)[-1])
        nvme = MachineDisk(0, "00:05.0", str(self.path), 0, False, model="nvme")
        self.assertEqual(disks.qemu_arguments(nvme, self.path, iommu=True)[-1],
                         "nvme,drive=disk0,addr=05.0,serial=disk0")


class Cards(unittest.TestCase):
    def test_words_for_qemu(self):
        from manifest.network import MachineCard
        from ringfence import cards
        card = MachineCard(1, "00:05.0", "52:54:00:12:34:56")
        self.assertEqual(cards.qemu_arguments(card), [
            "-netdev", "user,id=card1", "-device",
            "virtio-net-pci,netdev=card1,addr=05.0,mac=52:54:00:12:34:56,disable-legacy=on,romfile="])
        self.assertTrue(cards.qemu_arguments(card, iommu=True)[-1].endswith(",iommu_platform=on"))
        card.model = "e1000e"
        self.assertEqual(cards.qemu_arguments(card, iommu=True)[-1],
                         "e1000e,netdev=card1,addr=05.0,mac=52:54:00:12:34:56,romfile=")


class Statuses(unittest.TestCase):
    def test_from_qemu(self):
        def of(value):
            return status.from_qemu(value << 1 | 1)[0]
        self.assertEqual(of(status.EXIT_BASE), status.OK)
        self.assertEqual(of(status.EXIT_BASE + 7), 7)
        self.assertEqual(of(status.EXIT_BASE + 99), 99)
        self.assertEqual(of(status.EXIT_PANIC), status.PANIC)
        self.assertEqual(of(status.EXIT_INIT_FAILED), status.INIT)
        self.assertEqual(status.from_qemu(1)[0], status.QEMU)
        self.assertEqual(status.from_qemu(0)[0], status.RESET)
        self.assertEqual(status.from_qemu(-9)[0], status.QEMU)


class Keys(unittest.TestCase):
    def test_everything_but_the_quit_key_passes(self):
        keys = terminal.KeyFilter()
        self.assertEqual(keys.feed(b"ab\x03\x1c"), b"ab\x03\x1c")
        self.assertEqual(keys.feed(b"x\x1d"), b"x")
        self.assertEqual(keys.feed(b"1y"), b"\x1d1y")
        self.assertEqual(keys.feed(b"\x1d\x1d"), b"\x1d\x1d")
        with self.assertRaises(terminal.Quit):
            keys.feed(b"\x1dq")

    def test_quit_in_two_pieces(self):
        keys = terminal.KeyFilter()
        self.assertEqual(keys.feed(b"\x1d"), b"")
        with self.assertRaises(terminal.Quit):
            keys.feed(b"q")


class Fixture(unittest.TestCase):
    """Runs ./ringfence as a user would."""

    def setUp(self):
        self.temp = tempfile.TemporaryDirectory()
        self.addCleanup(self.temp.cleanup)
        self.dir = pathlib.Path(self.temp.name)
        self.image = self.dir / "image"
        self.image.write_bytes(b"x")

    def env(self, script):
        fake = self.dir / "qemu"
        fake.write_text(FAKE + script)
        fake.chmod(0o755)
        return dict(os.environ, RINGFENCE_QEMU=str(fake), FAKE_DIR=str(self.dir),
                    RINGFENCE_BUILD_DIR=str(self.dir / "build"))

    def argv(self, *more):
        return [str(ROOT / "ringfence"), "run", "--kernel", str(self.image), "--initrd",
                str(self.image), *more]

    def run_door(self, script, *more, stdin=b""):
        return subprocess.run(self.argv(*more), env=self.env(script), input=stdin,
                              capture_output=True, timeout=WAIT, check=False)


class Door(Fixture):
    """Without a terminal."""

    def test_output_log_and_status(self):
        log = self.dir / "log"
        result = self.run_door("echo hello from the machine; exit 33\n", "--headless", "--log", str(log))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, b"hello from the machine\n")
        self.assertEqual(log.read_bytes(), b"hello from the machine\n")

    def test_guest_code(self):
        self.assertEqual(self.run_door("exit 47\n").returncode, 7)

    def test_panic_shows_the_kernels_log(self):
        result = self.run_door('for a in $FAKE_ARGS "$@"; do case $a in file:*) '
                               'echo "PANIC: test" > "${a#file:}";; esac; done; exit 255\n')
        self.assertEqual(result.returncode, status.PANIC)
        self.assertIn(b"PANIC: test", result.stderr)

    def test_qemu_failure(self):
        result = self.run_door("echo qemu: no such device >&2; exit 1\n")
        self.assertEqual(result.returncode, status.QEMU)
        self.assertIn(b"no such device", result.stderr)

    def test_reset(self):
        self.assertEqual(self.run_door("exit 0\n").returncode, status.RESET)

    def test_timeout(self):
        result = self.run_door("exec sleep 60\n", "--timeout", "1")
        self.assertEqual(result.returncode, status.TIMEOUT)

    def test_input_reaches_the_machine(self):
        result = self.run_door("read line; echo got $line; exit 33\n", stdin=b"words\n")
        self.assertEqual(result.stdout, b"got words\n")

    def test_usage(self):
        for arguments in (["--cpus", "0"], ["--cpus", "17"], ["--mem", "lots"], ["--timeout", "x"],
                          ["--frob"], ["dev.toml"]):
            with self.subTest(arguments):
                self.assertEqual(self.run_door("exit 33\n", *arguments).returncode, status.USAGE)
        result = subprocess.run([str(ROOT / "ringfence"), "rnu"], capture_output=True, check=False)
        self.assertEqual(result.returncode, status.USAGE)

    def test_machine_options(self):
        self.run_door("exit 33\n", "--cpus", "3", "--mem", "1G", "--icount", "--headless",
                      "--append", "audit")
        argv = (self.dir / "argv").read_text()
        for part in ("-smp 3", "-m 1024", "shift=0,sleep=off", "panic=exit audit headless"):
            self.assertIn(part, argv)

    def test_signal(self):
        process = subprocess.Popen(self.argv(), env=self.env("echo up; exec sleep 60\n"),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=WAIT)
        self.assertEqual(process.returncode, 128 + signal.SIGTERM)


class Terminal(Fixture):
    """On a terminal: raw while it runs, as before afterwards."""

    def start(self, script):
        self.master, slave = pty.openpty()
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        process = subprocess.Popen(self.argv(), env=self.env(script), stdin=slave, stdout=slave,
                                   stderr=slave, start_new_session=True)
        self.addCleanup(os.close, slave)
        self.addCleanup(os.close, self.master)
        return process

    def wait_for(self, text):
        seen, deadline = b"", time.monotonic() + WAIT
        while text not in seen:
            self.assertLess(time.monotonic(), deadline, seen)
            if select.select([self.master], [], [], 1)[0]:
                seen += os.read(self.master, 4096)
        return seen

    def ends(self, process, code):
        # The terminal's buffer must be drained or the door cannot write its last words.
        deadline = time.monotonic() + WAIT
        while process.poll() is None and time.monotonic() < deadline:
            if select.select([self.master], [], [], 0.1)[0]:
                os.read(self.master, 4096)
        self.assertEqual(process.wait(1), code)
        self.assertEqual(termios.tcgetattr(self.slave), self.before)

    def test_quit_key(self):
        process = self.start("echo up; exec sleep 60\n")
        self.wait_for(b"up")
        self.assertNotEqual(termios.tcgetattr(self.slave), self.before)
        os.write(self.master, b"\x1dq")
        self.ends(process, status.OK)

    def test_control_c_goes_to_the_guest(self):
        process = self.start("echo up; head -c 1 | od -An -tx1; exit 33\n")
        self.wait_for(b"up")
        os.write(self.master, b"\x03")
        self.wait_for(b"03")
        self.ends(process, status.OK)

    def test_restored_after_signal_and_crash(self):
        for script, number, code in (("echo up; exec sleep 60\n", signal.SIGTERM, 143),
                                     ("echo up; exec sleep 60\n", signal.SIGHUP, 129),
                                     ("echo up; kill -SEGV $$\n", None, status.QEMU)):
            with self.subTest(code):
                process = self.start(script)
                self.wait_for(b"up")
                if number:
                    process.send_signal(number)
                self.ends(process, code)


if __name__ == "__main__":
    unittest.main()
