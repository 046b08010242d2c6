"""Golden file for network position: figures of a network of ties by NetworkX. The network itself is not in the file.

Usage: python3 test/reference/graph.py TIES.txt > test/reference/golden/graph.json   (needs networkx and scipy; made with 3.6.1)
TIES.txt has two ids a line; the file here was made of the friends of HetRec 2011 Last.fm.
"""
import hashlib
import json
import sys

import networkx as nx

pairs = [tuple(map(int, line.split()[:2])) for line in open(sys.argv[1]) if line.strip()]
graph = nx.Graph((a, b) for a, b in pairs if a != b)
nodes = sorted(graph)
figures = dict(
    degree=nx.degree_centrality(graph),
    pageRank=nx.pagerank(graph, alpha=0.85, tol=1e-14, max_iter=1000),
    closeness=nx.closeness_centrality(graph),
    betweenness=nx.betweenness_centrality(graph),
)
digits = lambda x: float(f"{x:.10g}")
shown = nodes[:: max(1, len(nodes) // 40)]
tops = {name: [n for n in sorted(nodes, key=lambda n: (-values[n], n))[:10]] for name, values in figures.items()}
asked = sorted(set(shown) | {n for top in tops.values() for n in top})
runs = [nx.community.louvain_communities(graph, seed=seed) for seed in range(20)]
modularities = [nx.community.modularity(graph, run) for run in runs]
components = sorted(map(len, nx.connected_components(graph)), reverse=True)
print(json.dumps(dict(
    ties=hashlib.sha256("".join(f"{a} {b}\n" for a, b in sorted(tuple(sorted(e)) for e in graph.edges)).encode()).hexdigest(),
    nodes=len(nodes), edges=graph.number_of_edges(), components=[len(components), components[0]],
    sums={name: [digits(sum(values.values())), digits(sum(v * v for v in values.values()))] for name, values in figures.items()},
    tops=tops,
    values={str(n): [digits(figures[name][n]) for name in figures] for n in asked},
    # Of each node by id modulo 7: a partition that anybody can make again.
    moduloSeven=digits(nx.community.modularity(graph, [{n for n in nodes if n % 7 == r} for r in range(7)])),
    byComponent=digits(nx.community.modularity(graph, list(nx.connected_components(graph)))),
    louvain=dict(modularity=[digits(min(modularities)), digits(max(modularities))], communities=[min(map(len, runs)), max(map(len, runs))]),
)))
