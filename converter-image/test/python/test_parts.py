"""The parts that need no model of a file."""

import ctypes
import errno
import json
import os
import subprocess
import tempfile
import time
import unittest
from unittest import mock

import numpy as np
from slipway_converter import deliver, libraries, outcome, parity, report, rows, seccomp, supervise
from slipway_converter.columns import Column
from slipway_converter.converters import _floor32
from slipway_converter.knowledge import Fact


class Versions(unittest.TestCase):
    """Which version a model is loaded with."""

    def test_exact_then_same_minor_then_none(self):
        have = ["1.9.1", "1.8.0"]
        self.assertEqual(libraries.choose("scikit-learn", "1.8.0", have), "1.8.0")
        self.assertEqual(libraries.choose("scikit-learn", "1.8.2", have), "1.8.0")
        self.assertIsNone(libraries.choose("scikit-learn", "1.7.2", have))
        self.assertEqual(libraries.choose("scikit-learn", None, have), "1.9.1")

    def test_newer_boosters_read_older_ones(self):
        self.assertEqual(libraries.choose("xgboost", "1.7.6", ["3.2.0", "2.1.4"]), "2.1.4")
        self.assertEqual(libraries.choose("xgboost", "3.0.1", ["3.2.0", "2.1.4"]), "3.2.0")
        self.assertIsNone(libraries.choose("xgboost", "4.0.0", ["3.2.0", "2.1.4"]))


class Thresholds(unittest.TestCase):
    """A double threshold for 32-bit floats."""

    def test_the_same_floats_are_at_or_below_it(self):
        random = np.random.default_rng(1)
        for threshold in random.normal(0, 10, 500):
            near = np.float32(threshold)
            for value in (near, np.nextafter(near, np.float32(9e9)), np.nextafter(near, np.float32(-9e9))):
                self.assertEqual(float(value) <= threshold, value <= np.float32(_floor32(threshold)))


class Rows(unittest.TestCase):
    """What is asked."""

    def test_they_are_seeded_and_stand_at_thresholds(self):
        columns = [Column("a", "number"), Column("b", "string")]
        facts = [Fact(points=[0.5], low=0.0, high=1.0), Fact(categories=["x", "y"])]
        one, other = (rows.draw(columns, facts, [], {1}, {0}) for _ in range(2))
        self.assertGreaterEqual(len(one), 1000)
        np.testing.assert_array_equal(one.arrays[0], other.arrays[0])
        self.assertIn(0.5, one.arrays[0])
        self.assertTrue(np.isnan(one.arrays[0]).any())
        self.assertEqual({"x", "y", "slipway unknown category"}, set(one.arrays[1]))


class Parity(unittest.TestCase):
    """When answers are the same."""

    def test_the_worst_value_is_named(self):
        wanted = {"variable": np.array([1.0, 2.0, 3.0])}
        found = parity.compare(wanted, {"variable": np.array([[1.0], [2.5], [3.00001]])})
        self.assertFalse(found.agrees)
        self.assertEqual((found.worst["row"], found.worst["expected"], found.worst["got"]), (1, 2.0, 2.5))

    def test_where_nothing_differs_there_is_no_worst_value(self):
        words = np.array(["yes", "no"])
        told = report.parity(parity.compare({"label": words}, {"label": words[:, None]}))
        self.assertIsNone(told["worst"])
        self.assertTrue(told["labelsEqual"])

    def test_a_tie_may_go_either_way_and_nothing_else(self):
        shares = np.array([[0.5, 0.5], [0.9, 0.1]])
        wanted = {"label": np.array(["a", "a"]), "probabilities": shares}
        self.assertTrue(parity.compare(wanted, {"label": np.array(["b", "a"]), "probabilities": shares}).agrees)
        self.assertFalse(parity.compare(wanted, {"label": np.array(["a", "b"]), "probabilities": shares}).agrees)

    def test_what_is_no_number_is_no_answer(self):
        wanted = {"variable": np.array([1.0])}
        self.assertFalse(parity.compare(wanted, {"variable": np.array([[np.nan]])}).agrees)


class Outcome(unittest.TestCase):
    """What is said at the end."""

    def test_it_fits_the_termination_message(self):
        self.assertLessEqual(len(outcome.termination("InvalidModel", "\U0001f600" * 9000)), 12 * 1024 // 4)

    def test_a_message_is_one_line(self):
        self.assertEqual(outcome.cut("a\n\x1b[31mb"), "a [31mb")

    def test_a_report_of_another_shape_is_none(self):
        lines = b'{"stage": "load"}\n[1]\n{"ok": "yes", "message": 1}\nnonsense'
        self.assertEqual(supervise._reported(lines), ("load", None))


class Watching(unittest.TestCase):
    """What is not believed of a process that does as it likes."""

    def _ended(self, work, seconds=10.0):
        most = 1 << 22
        with tempfile.TemporaryDirectory() as scratch, mock.patch.object(supervise, "_MAX_SCRATCH", most):
            with self.assertRaises(outcome.ConversionFailed) as raised:
                supervise.run_apart(lambda report: work(scratch, report), seconds, scratch)
            # Deeper than Python itself can take away.
            subprocess.run(["rm", "-rf", f"{scratch}/d"], check=True)
            return raised.exception

    def test_one_that_closes_its_pipes_and_sleeps_has_not_run_out_of_memory(self):
        def work(_scratch, _report):
            os.closerange(0, 64)
            time.sleep(60)

        self.assertEqual(self._ended(work, 0.5).reason, outcome.TIMEOUT)

    def test_one_that_closes_its_pipes_is_still_measured(self):
        def work(scratch, _report):
            os.closerange(0, 64)
            with open(f"{scratch}/big", "wb") as file:
                file.write(b"x" * (1 << 23))
            time.sleep(60)

        self.assertIn("more than 2 GB", self._ended(work).message)

    def test_folders_count_and_cannot_hide_by_their_depth(self):
        def deep(scratch, _):
            os.chdir(scratch)
            for _ in range(3000):
                os.mkdir("d")
                os.chdir("d")
            time.sleep(60)

        def many(scratch, _):
            for number in range(2000):
                os.mkdir(f"{scratch}/{number}")
            time.sleep(60)

        for work in (deep, many):
            self.assertIn("more than 2 GB", self._ended(work).message)

    def test_a_report_nested_without_end_is_none(self):
        def work(_, report):
            os.write(report, b"[" * 50_000 + b"\n")

        self.assertIn("without a report", self._ended(work).message)

    @unittest.skipUnless(os.path.exists("/proc/self/io"), "this kernel does not count what a process writes")
    def test_a_file_without_a_name_is_counted(self):
        with tempfile.TemporaryFile(dir=os.path.dirname(__file__)) as file:
            before = supervise._written_by(os.getpid())
            file.write(b"x" * (1 << 20))
            file.flush()
            self.assertGreaterEqual(supervise._written_by(os.getpid()) - before, 1 << 20)


class Filter(unittest.TestCase):
    """What the kernel refuses a process that has given itself up."""

    def test_it_cannot_hide_from_who_counts_and_writes_by_no_way_that_is_not_counted(self):
        def work(report):
            libc = ctypes.CDLL(None, use_errno=True)
            seccomp.install()
            answers = [libc.prctl(4, 0, 0, 0, 0), libc.prctl(15, b"name", 0, 0, 0)]
            with tempfile.TemporaryFile() as file:
                answers += [libc.fallocate(file.fileno(), 0, ctypes.c_long(0), ctypes.c_long(4096)), ctypes.get_errno()]
            os.write(report, json.dumps({"ok": True, "message": str(answers)}).encode() + b"\n")

        with tempfile.TemporaryDirectory() as scratch:
            self.assertEqual(supervise.run_apart(work, 10.0, scratch), f"[-1, 0, -1, {errno.EOPNOTSUPP}]")


class Delivery(unittest.TestCase):
    """Only whole regular files get out."""

    def setUp(self):
        self.scratch, self.output = tempfile.mkdtemp(), tempfile.mkdtemp()
        for name in deliver.FILES:
            with open(f"{self.scratch}/{name}", "w") as file:
                file.write("{}")

    def test_all_four_and_nothing_else(self):
        with open(f"{self.output}/left", "w") as file:
            file.write("by somebody")
        deliver.deliver(self.scratch, self.output)
        self.assertEqual(sorted(os.listdir(self.output)), sorted(deliver.FILES))

    def test_a_link_a_pipe_a_second_name_and_too_much_are_refused(self):
        def link(path):
            os.symlink("/etc/passwd", path)

        def pipe(path):
            os.mkfifo(path)

        def second(path):
            os.link(f"{self.scratch}/model.onnx", path)

        def large(path):
            with open(path, "wb") as file:
                file.truncate(5 << 20)

        for make in (link, pipe, second, large):
            path = f"{self.scratch}/examples.json"
            os.unlink(path)
            make(path)
            with self.assertRaises(outcome.ConversionFailed):
                deliver.deliver(self.scratch, self.output)
            self.assertEqual(os.listdir(self.output), [])


if __name__ == "__main__":
    unittest.main()
