"""Rows to ask both models about: seeded, from what the model knows of its inputs, and where its answers change."""

import numpy as np

SEED = 20260101
COUNT = 1024
_UNKNOWN = "slipway unknown category"
_MOST_EDGE_ROWS = 512
_WORDS_A_TEXT = 12


class Table:
    """Rows by column: an array for each, of floats or of texts."""

    def __init__(self, arrays):
        self.arrays = arrays

    def __len__(self):
        return len(self.arrays[0])

    def take(self, which):
        """Only these rows."""
        return Table([array[which] for array in self.arrays])

    def row(self, index):
        """The values of one row."""
        return [array[index] for array in self.arrays]

    def rounded(self):
        """As a client's numbers are after they went through a tensor of 32-bit floats."""
        with np.errstate(over="ignore"):
            return Table([a if a.dtype == object else a.astype(np.float32).astype(np.float64) for a in self.arrays])


def _range(fact, examples):
    low, high = fact.low, fact.high
    finite = [value for value in examples if isinstance(value, float) and np.isfinite(value)]
    if finite:
        low = min(finite) if low is None else min(low, *finite)
        high = max(finite) if high is None else max(high, *finite)
    if low is None or high is None:
        return -3.0, 3.0
    room = (high - low) * 0.1 or max(1.0, abs(low)) * 0.1
    return low - room, high + room


def _numbers(random, column, fact, examples, count):
    low, high = _range(fact, examples)
    values = random.uniform(low, high, count)
    pool = np.array([*fact.points, *[e for e in examples if isinstance(e, float) and np.isfinite(e)]])
    if len(pool):
        near = random.random(count) < 0.4
        values[near] = random.choice(pool, near.sum()) + random.normal(0, (high - low) * 0.02 + 1e-9, near.sum())
    if fact.categories:
        known = np.array([float(value) for value in fact.categories if isinstance(value, (int, float))])
        known = known[np.isfinite(known)]
        if len(known):
            values = random.choice(known, count)
    if column.kind == "integer":
        values = np.rint(values)
    if column.kind == "bool":
        values = (random.random(count) < 0.5).astype(float)
    return values


def _texts(random, column, fact, examples, count, takes_unknown):
    if fact.words is not None:
        pool = [*fact.words, "slipwayunknownword", "x"]
        marks = np.array([" ", " ", " ", ", ", ". ", "! ", " - "])
        return np.array(
            [
                "".join(
                    str(random.choice(pool)) + str(random.choice(marks)) for _ in range(random.integers(1, _WORDS_A_TEXT))
                )
                for _ in range(count)
            ],
            dtype=object,
        )
    known = [value for value in fact.categories or [] if isinstance(value, str)]
    known = known or sorted({value for value in examples if isinstance(value, str)}) or ["a", "b"]
    picked = np.array(known, dtype=object)[random.integers(0, len(known), count)]
    if takes_unknown:
        picked[random.random(count) < 0.05] = _UNKNOWN
    return picked


def _at_thresholds(random, columns, facts, table):
    """Rows at the values where an answer changes, and one step of a 32-bit float beside them."""
    places = [
        (i, point)
        for i, (column, fact) in enumerate(zip(columns, facts, strict=True))
        if column.kind == "number" and not fact.categories
        for point in fact.points
    ]
    if not places:
        return None
    chosen = [places[i] for i in random.permutation(len(places))[: _MOST_EDGE_ROWS // 3]]
    base = table.take(random.integers(0, len(table), 3 * len(chosen)))
    for number, (column, point) in enumerate(chosen):
        nearest = np.float32(point)
        sides = (nearest, np.nextafter(nearest, np.float32(np.inf)), np.nextafter(nearest, np.float32(-np.inf)))
        for offset, value in enumerate(sides):
            base.arrays[column][3 * number + offset] = float(value)
    return base


def draw(columns, facts, examples, takes_unknown=frozenset(), missing=frozenset()):
    """The rows: examples first, then drawn ones, then those beside thresholds. Columns in `missing` hold NaN now and then."""
    random = np.random.default_rng(SEED)
    arrays = []
    for i, (column, fact) in enumerate(zip(columns, facts, strict=True)):
        shown = [row[i] for row in examples]
        if column.kind == "string":
            drawn = _texts(random, column, fact, shown, COUNT, i in takes_unknown)
        else:
            drawn = _numbers(random, column, fact, shown, COUNT)
        arrays.append(drawn)
    for i in sorted(missing):
        arrays[i][random.random(COUNT) < 0.05] = np.nan
    table = Table(arrays)
    edges = _at_thresholds(random, columns, facts, table)
    parts = [table] if edges is None else [table, edges]
    if examples:
        kinds = [object if column.kind == "string" else float for column in columns]
        first = [np.array([row[i] for row in examples], dtype=kind) for i, kind in enumerate(kinds)]
        whole = np.ones(len(examples), dtype=bool)
        for i, array in enumerate(first):
            if array.dtype != object and i not in missing:
                whole &= np.isfinite(array)
        parts.insert(0, Table([array[whole] for array in first]))
    return Table([np.concatenate([part.arrays[i] for part in parts]) for i in range(len(columns))])
