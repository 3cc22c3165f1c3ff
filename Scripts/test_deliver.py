"""Tests of deliver.sh with a kubectl that only takes notes, and of what tour.py takes for a good answer."""

import os
import stat
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, "Scripts/containers")
import tour  # noqa: E402

KUBECTL = """#!/bin/sh
case "$*" in *port-forward*) exec sleep 60 ;; esac
"""


class Deliver(unittest.TestCase):
    def deliver(self, deploy="true", tour_command="true", undo="true"):
        """The exit status, whether it was undone, and what was said."""
        with tempfile.TemporaryDirectory() as notes:
            scripts = {"kubectl": KUBECTL, "curl": "#!/bin/sh\n", "half-way": "#!/bin/sh\nexit 3\n",
                       "undo": f'#!/bin/sh\ntouch "$NOTES/undone"\n{undo}\n'}
            for name, text in scripts.items():
                path = os.path.join(notes, name)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                os.chmod(path, stat.S_IRWXU)
            environment = {"PATH": f"{notes}:{os.environ['PATH']}", "NOTES": notes, "DEPLOY": deploy,
                           "UNDO": f"{notes}/undo", "TOUR": tour_command}
            done = subprocess.run(["Scripts/deliver.sh"], env=environment, text=True, capture_output=True, timeout=60)
            is_undone = os.path.exists(os.path.join(notes, "undone"))
        return done.returncode, is_undone, done.stdout + done.stderr

    def test_leaves_what_works(self):
        self.assertEqual(self.deliver()[:2], (0, False))

    def test_puts_back_what_ran_when_the_tour_fails(self):
        status, is_undone, text = self.deliver(tour_command="false")
        self.assertEqual((status, is_undone), (1, True))
        self.assertIn("what ran before runs again", text)

    def test_puts_back_half_a_rollout(self):
        self.assertEqual(self.deliver(deploy="half-way")[:2], (1, True))

    def test_takes_nothing_back_where_nothing_was_changed(self):
        self.assertEqual(self.deliver(deploy="false")[:2], (1, False))

    def test_says_when_it_could_not_be_put_back(self):
        status, _, text = self.deliver(deploy="half-way", undo="false")
        self.assertEqual(status, 1)
        self.assertIn("not all could be put back", text)


class Tour(unittest.TestCase):
    def test_more_is_fine_and_less_is_not(self):
        expected = {"vessel": {"id": "vessel001", "capacity": 500}, "created": True}
        self.assertTrue(tour.fits({"vessel": {"id": "x", "capacity": 9, "booked_weight": 5}, "created": True}, expected))
        self.assertFalse(tour.fits({"vessel": {"id": "x", "capacity": 9}}, expected))
        self.assertFalse(tour.fits({"vessel": {"id": "x", "capacity": 9}, "created": False}, expected))
        self.assertFalse(tour.fits({"vessel": {"id": 7, "capacity": 9}, "created": True}, expected))
        self.assertFalse(tour.fits({"id": "shippy.vessel", "code": 503}, {"id": "shippy.vessel", "code": 404}))

    def test_leaves_no_vessel_and_signs_somebody_new_up(self):
        with open("README.md", encoding="utf-8") as file:
            steps = list(tour.steps(file.read()))
        commands = [command for command, _ in tour.in_use(steps)]
        self.assertEqual(len(commands), len(steps) - 1)
        self.assertFalse([command for command in commands if "ewan@" in command])
        self.assertEqual(len([command for command in commands if "tour-" in command]), 2)
        # A fleet in use may carry what the README's does not.
        self.assertEqual(len([command for command in commands if f'"max_weight": {tour.TOO_HEAVY}' in command]), 1)


if __name__ == "__main__":
    unittest.main()
