"""Tests of deliver.sh with a kubectl that only takes notes, and of what tour.py takes for a good answer."""

import os
import stat
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, "Scripts/containers")
import tour  # noqa: E402

# Deployments are those in NAMES; each has revision 3 before the deploy, and what is in a file of its name afterwards.
KUBECTL = """#!/bin/sh
echo "$*" >>"$NOTES/calls"
case "$*" in
    *"get deployments "*) echo "$NAMES" ;;
    *"get deployment/"*)
        for word; do case $word in deployment/*) cat "$NOTES/${word#*/}" 2>/dev/null || echo 3 ;; esac; done ;;
    *port-forward*) exec sleep 60 ;;
esac
"""


class Deliver(unittest.TestCase):
    def deliver(self, names, deploy, tour_command="true"):
        with tempfile.TemporaryDirectory() as notes:
            for name, text in (("kubectl", KUBECTL), ("curl", "#!/bin/sh\n"), ("deploy", "#!/bin/sh\n" + deploy)):
                path = os.path.join(notes, name)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                os.chmod(path, stat.S_IRWXU)
            environment = {"PATH": f"{notes}:{os.environ['PATH']}", "NOTES": notes, "NAMES": names,
                           "DEPLOY": f"{notes}/deploy", "TOUR": tour_command}
            done = subprocess.run(["Scripts/deliver.sh"], env=environment, text=True, capture_output=True, timeout=60)
            with open(os.path.join(notes, "calls"), encoding="utf-8") as file:
                calls = file.read().splitlines()
        undone = [call for call in calls if "rollout undo" in call]
        return done.returncode, undone, done.stdout + done.stderr

    def test_leaves_what_works(self):
        self.assertEqual(self.deliver("api vessel-canary", 'echo 4 >"$NOTES/api"')[:2], (0, []))

    def test_puts_back_what_changed_when_the_tour_fails(self):
        status, undone, text = self.deliver("api vessel-canary", 'echo 4 >"$NOTES/vessel-canary"', "false")
        self.assertEqual(status, 1)
        self.assertEqual(undone, ["--namespace shippy rollout undo deployment/vessel-canary --to-revision=3"])
        self.assertIn("what ran before runs again", text)

    def test_puts_back_half_a_rollout(self):
        status, undone, _ = self.deliver("api ui", 'echo 4 >"$NOTES/api"; exit 1')
        self.assertEqual((status, len(undone)), (1, 1))

    def test_says_when_there_is_nothing_to_go_back_to(self):
        status, undone, text = self.deliver("", "exit 1")
        self.assertEqual((status, undone), (1, []))
        self.assertIn("nothing ran before", text)


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


if __name__ == "__main__":
    unittest.main()
