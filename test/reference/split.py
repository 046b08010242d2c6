"""Owns the one random split of MovieLens-100K that the measured numbers of README.md refer to.

Usage: split.py ML_100K_DIR OUT_DIR [SEED]   (writes train.tsv, valid.tsv, test.tsv: user item rating time)
Keeps ratings >= 3; per user in random order: the first int(.8 n) rows train, the next int(.1 n) valid, the rest test.
"""
import collections, random, sys

source, out = sys.argv[1:3]
random.seed(int(sys.argv[3]) if len(sys.argv) > 3 else 7)
rows = collections.defaultdict(list)
for line in open(f"{source}/u.data"):
    user, item, rating, time = line.split()
    if int(rating) >= 3:
        rows[user].append("\t".join((user, item, rating, time)))
files = {name: open(f"{out}/{name}.tsv", "w") for name in ("train", "valid", "test")}
for user, lines in rows.items():
    random.shuffle(lines)
    train, valid = int(.8 * len(lines)), int(.1 * len(lines))
    parts = {"train": lines[:train], "valid": lines[train:train + valid], "test": lines[train + valid:]}
    for name, part in parts.items():
        files[name].writelines(f"{line}\n" for line in part)
