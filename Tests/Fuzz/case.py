"""Inputs as steps: stored as JSON, and made smaller."""

import base64


class Case:
    """One input: steps, each a dict that its part can carry out. The expectations are part of the steps, so that both
    go together when the input is made smaller."""

    def __init__(self, what, steps):
        self.what, self.steps = what, steps


def plain(value):
    """For JSON: bytes become {"bytes": base64}."""
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def unplain(value):
    if isinstance(value, dict):
        if set(value) == {"bytes"}:
            return base64.b64decode(value["bytes"])
        return {key: unplain(item) for key, item in value.items()}
    return [unplain(item) for item in value] if isinstance(value, list) else value


def smaller(steps, cut):
    """Slightly smaller inputs, the smallest first: with some steps left out, or some bytes cut out of a piece."""
    size = len(steps) // 2
    while size >= 1 and len(steps) > 1:
        for at in range(0, len(steps), size):
            yield steps[:at] + steps[at + size:]
        size //= 2
    for index, step in enumerate(steps if cut else ()):
        for key, data in step.items():
            if not isinstance(data, bytes):
                continue
            size = len(data) // 2
            while size >= 1:
                for at in range(0, len(data), size) if size * 16 > len(data) else ():
                    yield steps[:index] + [{**step, key: data[:at] + data[at + size:]}] + steps[index + 1:]
                size //= 2
