"""Owns the peers' side of `npm run bench -- embeddings`: implicit, gensim and NumPy behind the line protocol of side.ts.

One process a comparison. Each line on stdin is a JSON command, each line on stdout its answer with wall seconds, CPU seconds of
the work alone and the peak memory of the process. Arrays travel as raw little-endian files in the comparison's folder.
"""
import json
import os
import resource
import sys
import time

import numpy as np

THREADS = int(os.environ["BENCH_THREADS"])
loaded = {}


def array(folder, name, dtype):
    key = (folder, name)
    if key not in loaded:
        loaded[key] = np.fromfile(os.path.join(folder, name), dtype=dtype)
    return loaded[key]


def sparse(folder):
    from scipy.sparse import csr_matrix

    key = (folder, "csr")
    if key not in loaded:
        indptr, indices = array(folder, "indptr.i32", np.int32), array(folder, "indices.i32", np.int32)
        columns = json.load(open(os.path.join(folder, "shape.json")))["items"]
        values = np.ones(len(indices), np.float32)
        loaded[key] = csr_matrix((values, indices, indptr), shape=(len(indptr) - 1, columns))
    return loaded[key]


def timed(work):
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu, start = usage.ru_utime + usage.ru_stime, time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    usage = resource.getrusage(resource.RUSAGE_SELF)
    answer = {"seconds": seconds, "cpuSeconds": usage.ru_utime + usage.ru_stime - cpu, "peakMb": usage.ru_maxrss / 1024}
    return result, answer


def put(folder, name, values, dtype):
    np.ascontiguousarray(values, dtype=dtype).tofile(os.path.join(folder, name))


def keep_factors(folder, model, answer):
    put(folder, "peer-users.f32", model.user_factors, np.float32)
    put(folder, "peer-items.f32", model.item_factors, np.float32)
    return {**answer, "width": int(model.item_factors.shape[1])}


def load(folder, **_):
    sparse(folder)
    return {}


def ials(folder, factors, epochs, regularization, alpha, seed, **_):
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(
        factors=factors, regularization=regularization, alpha=alpha, iterations=epochs, num_threads=THREADS, random_state=seed
    )
    rows = sparse(folder)
    _, answer = timed(lambda: model.fit(rows, show_progress=False))
    return keep_factors(folder, model, answer)


def bpr(folder, factors, epochs, rate, regularization, seed, **_):
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    model = BayesianPersonalizedRanking(
        factors=factors, learning_rate=rate, regularization=regularization, iterations=epochs, num_threads=THREADS, random_state=seed
    )
    rows = sparse(folder)
    _, answer = timed(lambda: model.fit(rows, show_progress=False))
    return keep_factors(folder, model, answer)


def recommend(folder, factors, k, **_):
    from implicit.cpu.als import AlternatingLeastSquares

    rows = sparse(folder)
    model = AlternatingLeastSquares(factors=factors, num_threads=THREADS)
    model.user_factors = array(folder, "users.f32", np.float32).reshape(-1, factors)
    model.item_factors = array(folder, "items.f32", np.float32).reshape(-1, factors)
    users = np.arange(rows.shape[0])
    (ids, _scores), answer = timed(lambda: model.recommend(users, rows, N=k, filter_already_liked_items=True))
    put(folder, "peer-lists.i32", ids, np.int32)
    return answer


def ease(folder, regularization, **_):
    rows = sparse(folder)

    def fit():
        exact = rows.astype(np.float64)
        gram = (exact.T @ exact).toarray()
        gram[np.diag_indices_from(gram)] += regularization
        return np.linalg.inv(gram)

    inverse, answer = timed(fit)
    put(folder, "peer-inverse.f64", inverse, np.float64)
    return answer


def ease_lists(folder, users, k, **_):
    """The top-k lists of the first users by the inverse of the last `ease`, in float64."""
    rows = sparse(folder)[:users]
    inverse = np.fromfile(os.path.join(folder, "peer-inverse.f64")).reshape(rows.shape[1], rows.shape[1])
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    scores = rows.astype(np.float64) @ weights
    scores[rows.nonzero()] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, : k + 1]
    put(folder, "peer-lists.i32", order[:, :k], np.int32)
    put(folder, "peer-scores.f64", np.take_along_axis(scores, order, axis=1), np.float64)
    return {}


def sgns(folder, dimensions, epochs, window, negatives, rate, seed, **_):
    from gensim.models import Word2Vec

    # The file path is gensim's fastest: its threads then read and train without the interpreter's lock.
    path = os.path.join(folder, "sentences.txt")
    if not os.path.exists(path):
        indptr, tokens = array(folder, "indptr.i32", np.int32), array(folder, "indices.i32", np.int32)
        with open(path, "w") as out:
            for begin, end in zip(indptr[:-1], indptr[1:]):
                out.write(" ".join(map(str, tokens[begin:end])) + "\n")
    words = json.load(open(os.path.join(folder, "shape.json")))["items"]
    model = Word2Vec(
        vector_size=dimensions, window=window, negative=negatives, sg=1, hs=0, sample=0, min_count=1, workers=THREADS, seed=seed,
        alpha=rate, min_alpha=rate / 250
    )
    model.build_vocab(corpus_file=path)
    total = len(array(folder, "indices.i32", np.int32))
    _, answer = timed(
        lambda: model.train(corpus_file=path, total_words=total, total_examples=model.corpus_count, epochs=epochs)
    )
    vectors = np.zeros((words, dimensions), np.float32)
    for word, place in model.wv.key_to_index.items():
        vectors[int(word)] = model.wv.vectors[place]
    put(folder, "peer-items.f32", vectors, np.float32)
    return {**answer, "width": dimensions}


def about(**_):
    from importlib.metadata import version

    from threadpoolctl import threadpool_info

    blas = [f"{pool['internal_api']} {pool['architecture']} x {pool['num_threads']}" for pool in threadpool_info() if "architecture" in pool]
    names = ("implicit", "gensim", "numpy")
    return {"about": ", ".join([f"{name} {version(name)}" for name in names] + blas)}


COMMANDS = {
    command.__name__: command for command in (about, bpr, ease, ease_lists, ials, load, recommend, sgns)
}

for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(COMMANDS[request.pop("op")](**request)), flush=True)
