"""Golden file for K-Means: data, scikit-learn's best of 50 starts on standardised columns, and its exact silhouette.

Usage: python3 test/reference/segments.py > test/reference/golden/segments.json   (needs numpy and scikit-learn; made with 1.9.1)
"""
import json

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import StandardScaler

rng = np.random.default_rng(7)
centres = rng.normal(size=(4, 3)) * [3, 30, 0.3]
rows = np.float32(np.round(np.repeat(centres, 40, axis=0) + rng.normal(size=(160, 3)) * [1, 10, 0.1], 4))
scaled = StandardScaler().fit_transform(rows.astype(np.float64))
cases = []
for clusters in (2, 3, 4, 6):
    fit = KMeans(clusters, n_init=50, random_state=0, tol=0, max_iter=1000).fit(scaled)
    sizes = sorted(np.bincount(fit.labels_).tolist(), reverse=True)
    silhouette = silhouette_score(scaled, fit.labels_)
    cases.append(dict(clusters=clusters, inertia=fit.inertia_, silhouette=silhouette, sizes=sizes))
means, deviations = rows.astype(np.float64).mean(0), rows.astype(np.float64).std(0)
print(json.dumps(dict(columns=3, rows=rows.astype(np.float64).round(4).ravel().tolist(), means=means.tolist(), deviations=deviations.tolist(), cases=cases)))
