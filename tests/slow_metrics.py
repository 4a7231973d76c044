"""Obvious versions of the metrics, one concept and one feature at a time, to test the fast ones against."""

import itertools

import numpy as np
from scipy.stats import rankdata, spearmanr


def gold_set(row, dense):
    if not dense:
        return set(np.flatnonzero(row > 0))
    tenth = sorted(row, reverse=True)[min(10, len(row)) - 1]
    return set(np.flatnonzero(row >= tenth))


def expected_hits(predicted, gold, k):
    """Average over all ways to break ties (by ordering tied groups), exactly."""
    order = sorted(set(predicted), reverse=True)
    left, hits = k, 0.0
    for value in order:
        tied = [j for j in range(len(predicted)) if predicted[j] == value]
        take = min(left, len(tied))
        hits += take * sum(j in gold for j in tied) / len(tied)
        left -= take
        if not left:
            break
    return hits


def per_concept(predicted, true, dense):
    gold = gold_set(true, dense)
    hits, hits_k = (
        expected_hits(predicted, gold, min(10, len(true))),
        expected_hits(predicted, gold, len(gold)),
    )
    p, r = hits / min(10, len(true)), hits / len(gold)
    on = sorted(gold)
    return {
        "p@10": p,
        "r@10": r,
        "f1@10": 0.0 if hits == 0 else 2 * p * r / (p + r),
        "map@k": hits_k / len(gold),
        "rho": spearmanr(predicted, true).statistic,
        "rho-max": best_rho(true),
        "rho-gold": spearmanr(predicted[on], true[on]).statistic,
    }


def best_rho(true):
    """Of all strict orders, the ones that agree with the true order are best."""
    strict = rankdata(true, method="ordinal")
    return spearmanr(strict, true).statistic


def cosine(a, b):
    bottom = np.linalg.norm(a) * np.linalg.norm(b)
    return a @ b / bottom if bottom > 0 else 0.0


def neighbours(predicted, i, Y, mean, n, among):
    """Chance that the own vector is among the n nearest, ties at random."""
    own = cosine(predicted - mean, Y[i] - mean)
    others = [cosine(predicted - mean, Y[j] - mean) for j in among if j != i]
    nearer = sum(c > own + 1e-12 for c in others)
    tied = sum(abs(c - own) <= 1e-12 for c in others) + 1
    return min(max((n - nearer) / tied, 0), 1)


def auc_feature(folds, Y, carries, fewest=5):
    """`folds`: list of (rows, predictions). Pairs within a fold, summed over folds, then the mean over features."""
    scores = []
    for f in range(Y.shape[1]):
        if not fewest <= carries[:, f].sum() < len(Y):
            continue
        won = pairs = 0.0
        for rows, predicted in folds:
            for (i, p), (j, q) in itertools.product(zip(rows, predicted[:, f]), zip(rows, predicted[:, f])):
                if carries[i, f] and not carries[j, f]:
                    pairs += 1
                    won += 1.0 if p > q else 0.5 if p == q else 0.0
        if pairs:
            scores.append(won / pairs)
    return float(np.mean(scores))


def rho_feature(folds, Y, carries, fewest=5):
    scores = []
    for f in range(Y.shape[1]):
        if not fewest <= carries[:, f].sum() < len(Y):
            continue
        a, b = [], []
        for rows, predicted in folds:
            ra, rb = rankdata(predicted[:, f]), rankdata(Y[rows, f])
            a += list(ra - ra.mean())
            b += list(rb - rb.mean())
        a, b = np.array(a), np.array(b)
        if (b**2).sum():
            bottom = np.sqrt((a**2).sum() * (b**2).sum())
            scores.append((a * b).sum() / bottom if bottom else 0.0)
    return float(np.mean(scores))
