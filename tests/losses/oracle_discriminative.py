"""A slow discriminative loss written from the paper: loops over images, instances and pixels."""

from itertools import permutations, product

import torch


def oracle(  # noqa: C901  (plain loops)
    embedding,
    labels,
    *,
    delta_v=0.5,
    delta_d=1.5,
    alpha=1.0,
    beta=1.0,
    gamma=0.001,
    semantic=None,
    hinge="paper",
    normalization="paper",
    norm="l2",
    distance="euclidean",
    background_as_instance=False,
    push_neighbours=None,
    size_weighting=0.0,
):
    """Return (total, pull, push, reg) of a float64 batch."""
    images = []
    for number in range(embedding.shape[0]):
        classes = [None] if semantic is None else range(1, int(semantic.max()) + 1)
        values = []
        for wanted in classes:
            places = {}
            for place in product(*(range(n) for n in labels.shape[1:])):
                label = int(labels[(number, *place)])
                if label < 0 or (label == 0 and not background_as_instance):
                    continue
                if wanted is not None and int(semantic[(number, *place)]) != wanted:
                    continue
                places.setdefault(label, []).append(place)
            if normalization == "released":
                places = {label: where for label, where in places.items() if len(where) > 1}
            if places:
                values.append(
                    _one_set(
                        embedding[number],
                        places,
                        delta_v,
                        delta_d * (2 if hinge == "paper" else 1),
                        normalization,
                        norm,
                        distance,
                        push_neighbours,
                        size_weighting,
                    )
                )
        if values:
            images.append([sum(term) / len(values) for term in zip(*values, strict=True)])
    if not images:
        zero = embedding.sum() * 0
        return zero, zero, zero, zero
    pull, push, reg = (sum(term) / len(images) for term in zip(*images, strict=True))
    return alpha * pull + beta * push + gamma * reg, pull, push, reg


def _one_set(  # noqa: C901  (plain loops)
    x, places, delta_v, margin, normalization, norm, distance, reach, power
):
    """Pull, push and reg of one image (one class)."""
    means = {}
    for label, where in places.items():
        means[label] = sum(x[(slice(None), *place)] for place in where) / len(where)
    count = len(means)

    weighted, weights = 0, 0
    for label, where in places.items():
        spread = 0
        for place in where:
            apart = _apart(means[label], x[(slice(None), *place)], norm, distance)
            if apart > delta_v:
                spread = spread + (apart - delta_v) ** 2
        weighted = weighted + len(where) ** power * spread / len(where)
        weights += len(where) ** power
    pull = weighted / weights + 0 * x.sum()

    push, pairs = 0 * x.sum(), 0
    for first, second in permutations(means, 2):
        if reach is not None and _gap(places[first], places[second]) > reach:
            continue
        pairs += 1
        apart = _apart(means[first], means[second], norm, distance)
        if apart < margin:
            push = push + (margin - apart) ** 2

    reg = sum(_length(mean, norm) for mean in means.values()) / count
    if normalization == "released":
        return pull * count, push / 2 / max(count - 1, 1), 0 * reg
    return pull, push / max(pairs, 1), reg


def _gap(first, second):
    """Smallest distance between two sets of places."""
    return min(
        sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) ** 0.5 for p in first for q in second
    )


def _apart(a, b, norm, distance):
    if distance == "euclidean":
        return _length(a - b, norm)
    return 1 - torch.dot(a, b) / (_length(a, "l2") * _length(b, "l2"))


def _length(vector, norm):
    if norm == "l1":
        return sum(abs(value) for value in vector)
    if not bool((vector != 0).any()):
        return vector.sum() * 0
    return sum(value * value for value in vector) ** 0.5
