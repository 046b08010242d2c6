"""Writes golden/fairness.json: what fairlearn, AIF360, SciPy and NumPy say about random cases.

Usage: python fairness.py     (in an environment with: pip install numpy scipy scikit-learn pandas fairlearn aif360)
Run with fairlearn 0.15.0, aif360 0.6.1, scipy 1.17.1, numpy 2.4.6. The tests in shared/numerics/fairness read the
file and never run Python.
"""
import json, pathlib
import numpy as np
from aif360.sklearn import metrics as aif
from fairlearn import metrics as fair
from scipy import special, stats

rng = np.random.default_rng(20240)


def decisions(size, groups, rates):
    group = rng.integers(0, groups, size)
    actual = (rng.random(size) < 0.4).astype(int)
    predicted = (rng.random(size) < np.take(rates, group) + 0.25 * actual).astype(int)
    names = [f"g{g}" for g in group]
    reference, other = "g0", "g1"
    two = [g in (reference, other) for g in names]
    a, p = actual[two], predicted[two]
    which = np.array(names)[two]
    binary = dict(prot_attr=which, priv_group=reference)
    return {
        "predicted": predicted.tolist(), "actual": actual.tolist(), "groups": names, "reference": reference, "other": other,
        "demographicParityDifference": fair.demographic_parity_difference(actual, predicted, sensitive_features=names),
        "demographicParityRatio": fair.demographic_parity_ratio(actual, predicted, sensitive_features=names),
        "equalisedOddsWorst": fair.equalized_odds_difference(actual, predicted, sensitive_features=names),
        "equalisedOddsMean": fair.equalized_odds_difference(actual, predicted, sensitive_features=names, agg="mean"),
        "equalOpportunity": fair.equal_opportunity_difference(actual, predicted, sensitive_features=names),
        "statisticalParityDifference": aif.statistical_parity_difference(a, p, **binary),
        "disparateImpact": aif.disparate_impact_ratio(a, p, **binary),
        "averageOddsDifference": aif.average_odds_difference(a, p, **binary),
    }


def benefits(values):
    values = np.asarray(values, float)
    case = {"values": values.tolist(), "theil": aif.theil_index(values)}
    case["entropy"] = {str(a): aif.generalized_entropy_index(values, alpha=a) for a in ((2, 1, 0.5, -1) if values.min() > 0 else (2, 1, 0.5))}
    if values.min() > 0:  # AIF360 0.6.1 divides by the mean twice at a = 0, against its own docstring, whose formula this is
        case["entropy"]["0"] = -np.log(values / values.mean()).mean()
    differences = np.abs(values[:, None] - values[None, :]).sum()  # the other definition of Gini
    case["gini"] = differences / (2 * len(values) ** 2 * values.mean())
    return case


def table(a, n, b, m):
    pooled = (a + b) / (n + m)
    z = abs(a / n - b / m) / np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return {"table": [a, n, b, m], "fisher": stats.fisher_exact([[a, n - a], [b, m - b]])[1], "z": 2 * stats.norm.sf(z)}


def calibration(topics):
    p, q = rng.dirichlet(np.full(topics, 0.4)), rng.dirichlet(np.full(topics, 0.4))
    q[0] = 0
    q /= q.sum()
    return {"p": p.tolist(), "q": q.tolist(), "divergence": stats.entropy(p, 0.99 * q + 0.01 * p)}


def percentiles(size):
    values = rng.normal(size=size)
    return {"values": values.tolist(), "q": {str(q): np.quantile(values, q) for q in (0, 0.025, 0.31, 0.5, 0.975, 1)}}


golden = {
    "decisions": [decisions(60, 2, [0.2, 0.4]), decisions(200, 4, [0.1, 0.3, 0.5, 0.2]), decisions(400, 3, [0.5, 0.45, 0.05])],
    "benefits": [benefits(rng.random(20)), benefits(rng.integers(0, 3, 40)), benefits(rng.pareto(1.5, 100)), benefits([1, 1, 1])],
    "tables": [table(*t) for t in ((3, 10, 9, 12), (1, 30, 7, 25), (40, 400, 80, 420), (5, 500, 25, 900), (0, 8, 5, 9), (700, 3000, 820, 3000), (2, 3, 3, 4))],
    "calibration": [calibration(t) for t in (3, 8, 18)],
    "percentiles": [percentiles(s) for s in (51, 1000)],
    "erfc": [[x, special.erfc(x)] for x in (0.0, 0.1, 0.7, 1.5, 2.4999, 2.5, 3.3, 5.0, 8.0)],
}
path = pathlib.Path(__file__).with_name("golden") / "fairness.json"
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
