"""Golden file for the closed-form models: EASE, the graph filter (closed and sharpened) and BM25 neighbours, in float64 from their formulas.

Usage: python3 test/reference/linear.py > test/reference/golden/linear.json   (needs numpy; made with 2.4.6)
"""
import json
from math import factorial

import numpy as np

rng = np.random.default_rng(11)
users, items = 40, 24
taste = rng.random((users, 3)) @ rng.random((3, items))
seen = rng.random((users, items)) < 0.25 * taste
seen[np.arange(users), np.arange(users) % items] = True
counts = np.where(seen, rng.integers(1, 9, (users, items)), 0)
signs = np.where(rng.random((users, items)) < 0.15, -1, 1)
binary = seen.astype(float)


def ease(x, regularisation):
    p = np.linalg.inv(x.T @ x + regularisation * np.eye(items))
    b = -p / np.diag(p)
    np.fill_diagonal(b, 0)
    return x @ b


def graph_filter(r, rank, alpha, left):
    row, column = r.sum(1) ** -0.5, r.sum(0) ** -0.5
    scaled = row[:, None] * r * column
    v = np.linalg.svd(scaled)[2][:rank].T
    start = scaled if left == "normalised" else r
    return start @ scaled.T @ scaled + alpha * (r * column) @ v @ (v.T / column)


def sharpened(r, rank, time, beta):
    row, column = r.sum(1) ** -0.5, r.sum(0) ** -0.5
    scaled = row[:, None] * r * column
    _, s, vt = np.linalg.svd(scaled)
    values, v = s[:rank] ** 2, vt[:rank].T
    series = lambda x: sum((-time * x) ** j / factorial(j) for j in range(5))
    c, w = series(0.4 * values[-1]), v.T / column
    score = c * r @ scaled.T @ scaled + r @ v @ np.diag(values * (series(values) - c)) @ v.T
    return score + beta * (r * column) @ v @ (w + w @ v @ np.diag(series(values) - 1) @ v.T)


def bm25(x, k1, b):
    """Items are documents, users are terms: user weight ln(items / (1 + items of the user)), length an item's sum."""
    length = 1 - b + b * x.sum(0) / x.sum(0).mean()
    weight = np.maximum(np.log(items / (1 + (x > 0).sum(1))), 0)
    own = x * (k1 + 1) / (k1 * length + x)
    y = weight[:, None] * own
    similarity = y.T @ y
    np.fill_diagonal(similarity, 0)
    return own @ similarity


def case(model, params, scores):
    return dict(model=model, params=params, scores=[float(f"{score:.9g}") for score in scores.ravel()])


cases = [
    case("ease", dict(regularisation=0.5), ease(binary, 0.5)),
    case("ease", dict(regularisation=20), ease(binary, 20)),
    case("ease", dict(regularisation=8, weighting="linear"), ease(counts * signs.astype(float), 8)),
    case("graph-filter", dict(rank=5, alpha=0.3), graph_filter(binary, 5, 0.3, "raw")),
    case("graph-filter", dict(rank=9, alpha=0.05, left="normalised"), graph_filter(binary, 9, 0.05, "normalised")),
    case("sharpened", dict(rank=6, time=2, beta=0.2), sharpened(binary, 6, 2, 0.2)),
    case("bm25", dict(k1=1.2, b=0.75), bm25(counts.astype(float), 1.2, 0.75)),
]
rows, columns = np.nonzero(seen)
print(json.dumps(dict(users=users, items=items, rows=rows.tolist(), columns=columns.tolist(), counts=counts[seen].tolist(), signs=signs[seen].tolist(), cases=cases)))
