"""The parts of the walk that page.py takes."""
