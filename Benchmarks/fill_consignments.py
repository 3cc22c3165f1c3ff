"""Puts consignments into the SQLite file of a consignment service that does not run.

Usage: fill_consignments.py FILE COUNT TOKEN; they are booked by the token's user. Prints the page token that leads to the middle.
"""

import base64
import json
import random
import sqlite3
import sys
import time


def text(field, value):
    """A string field of a message; lengths here are below 128 or take two bytes."""
    data = value if isinstance(value, bytes) else value.encode()
    length = bytes([len(data)]) if len(data) < 128 else bytes([len(data) & 127 | 128, len(data) >> 7])
    return bytes([field << 3 | 2]) + length + data


def consignment(identifier):
    message = text(1, identifier) + text(2, "This is a test consignment") + b"\x18\xd8\xad\x03"  # weight 55000
    for customer, origin in ("cust001", "Manchester"), ("cust002", "Derby"), ("cust005", "Sheffield"):
        message += text(4, text(2, customer) + text(3, origin + ", United Kingdom") + text(4, "user001"))
    return message + text(5, "vessel001")


def user(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"]


def rows(count, user_id):
    start = int(time.time() * 1_000_000) - count
    for index in range(count):
        identifier = "%016x%016x" % (start + index, random.getrandbits(64))
        yield identifier, user_id, "vessel001", consignment(identifier), BOOKED


BOOKED = 1
path, count, token = sys.argv[1], int(sys.argv[2]), sys.argv[3]
database = sqlite3.connect(path)
with database:
    database.executemany(
        "INSERT INTO consignments (id, user_id, vessel_id, consignment, state) VALUES (?, ?, ?, ?, ?)",
        rows(count, user(token)),
    )
(middle,) = database.execute("SELECT id FROM consignments ORDER BY id LIMIT 1 OFFSET ?", (count // 2,)).fetchone()
database.close()
print("c1" + middle)
