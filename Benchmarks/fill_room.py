"""Books nearly all room of the vessels in an embedded store, as a million bookings would take minutes.

    fill_room.py FILE
    fill_room.py --check FILE

Each vessel keeps up to 50 containers and 1,000 kg, whatever of the two it has less of. `--check` prints whether the store
has what this writes, yes or no: that of an older version may not.
"""

import random
import sqlite3
import sys


def can_fill(path):
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    return database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'room_groups'").fetchone()[0] == 1


def main(path):
    database = sqlite3.connect(path)
    numbers = random.Random(7)
    with database:
        fleet = database.execute("SELECT number, capacity, max_weight FROM vessels").fetchall()
        changes = []
        for number, capacity, weight in fleet:
            containers, kilograms = min(capacity, numbers.randint(0, 50)), min(weight, numbers.randint(0, 1000))
            changes.append((capacity - containers, weight - kilograms, containers, kilograms, number))
        database.executemany(
            "UPDATE vessels SET booked_containers = ?, booked_weight = ?, offered_containers = ?, offered_weight = ?"
            " WHERE number = ?", changes)
        database.execute("DELETE FROM room_groups")
        database.execute(
            "INSERT INTO room_groups SELECT 0, offered_containers, max(offered_weight) FROM vessels"
            " WHERE offered_containers IS NOT NULL GROUP BY offered_containers")
        database.execute(
            "WITH RECURSIVE levels (level) AS (SELECT 1 UNION ALL SELECT level + 1 FROM levels WHERE level < 8)"
            " INSERT INTO room_groups SELECT levels.level, number >> (levels.level * 4), max(heaviest)"
            " FROM levels, room_groups WHERE room_groups.level = 0 GROUP BY 1, 2")


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        print("yes" if can_fill(sys.argv[2]) else "no")
    else:
        main(sys.argv[1])
