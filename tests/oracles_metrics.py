"""Slow metrics written straight from their definitions; they share nothing with the package."""

from itertools import permutations

import numpy as np


def masks(labels, ignored):
    """Return one boolean mask for each instance id of a label image."""
    found = []
    for instance in np.unique(labels):
        if instance > 0:
            mask = (labels == instance) & ~ignored
            if mask.any():
                found.append(mask.ravel())
    return found


def both(prediction, truth):
    ignored = (truth == -1) | (prediction == -1)
    return masks(prediction, ignored), masks(truth, ignored)


def dice_pair(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def iou_pair(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def one_sided(first, second):
    if not first and not second:
        return 1.0
    if not first or not second:
        return 0.0
    total = 0.0
    for a in first:
        best = 0.0
        for b in second:
            best = max(best, dice_pair(a, b))
        total += best
    return total / len(first)


def leaf_scores(prediction, truth):
    """Return BestDice(P, G), BestDice(G, P), FgBgDice, DiC."""
    p, t = both(prediction, truth)
    all_p = np.any(p, axis=0) if p else np.zeros(truth.size, bool)
    all_t = np.any(t, axis=0) if t else np.zeros(truth.size, bool)
    fg = dice_pair(all_p, all_t) if all_p.any() or all_t.any() else 1.0
    return one_sided(p, t), one_sided(t, p), fg, len(p) - len(t)


def matched_above_half(prediction, truth, threshold):
    """Return TP, FP, FN and the sum of IoU for a threshold above 0.5, where matches are unique."""
    p, t = both(prediction, truth)
    hits = [iou_pair(a, b) for a in p for b in t]
    hits = [value for value in hits if value >= threshold]
    return len(hits), len(p) - len(hits), len(t) - len(hits), sum(hits)


def best_matching(similarity, threshold):
    """Try every assignment; return (pairs, sum) of the best: most pairs, then the largest sum."""
    rows, columns = similarity.shape
    if rows > columns:
        return best_matching(similarity.T, threshold)
    best = (0, 0.0)
    for chosen in permutations(range(columns), rows):
        values = [similarity[r, c] for r, c in enumerate(chosen)]
        values = [v for v in values if v >= threshold]
        if (len(values), sum(values)) > best:
            best = (len(values), sum(values))
    return best


def coco_precision(images, threshold):
    """Return the 101-point AP; `images` are (prediction, truth, {id: score})."""
    events, total = [], 0
    for number, (prediction, truth, scores) in enumerate(images):
        true = [truth == i for i in np.unique(truth[truth > 0])]
        total += len(true)
        taken = [False] * len(true)
        for instance in sorted(scores, key=lambda i: (-scores[i], i)):
            best, where = threshold, None
            for k, mask in enumerate(true):
                value = iou_pair(prediction == instance, mask)
                if not taken[k] and value >= best and (where is None or value > best):
                    best, where = value, k
            if where is not None:
                taken[where] = True
            events.append((-scores[instance], number, instance, where is not None))
    events.sort()
    curve, right = [], 0
    for seen, event in enumerate(events, start=1):
        right += event[3]
        curve.append((right, right / seen))
    area = 0.0
    for percent in range(101):
        area += max((p for found, p in curve if 100 * found >= percent * total), default=0.0)
    return area / 101
