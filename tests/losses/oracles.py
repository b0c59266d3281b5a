"""The losses once more, as plain loops over pixels, from their formulas: slow, and sharing nothing.

Every oracle takes (B, K, H, W) logits and (B, H, W) labels as nested sequences of numbers, pixels
labelled -1 are left out, and returns a float.
"""

import math


def probabilities(scores):
    """Class probabilities of one pixel; one score is that of the second of two classes."""
    if len(scores) == 1:
        scores = [0.0, scores[0]]
    total = sum(math.exp(s) for s in scores)
    return [math.exp(s) / total for s in scores]


def sets_of_pixels(z, y, per_image):
    """One list of (p, label, scores, b, i, j) for the batch, or one per picture."""
    pictures = []
    for b in range(len(z)):
        pixels = []
        for i in range(len(y[b])):
            for j in range(len(y[b][0])):
                if y[b][i][j] != -1:
                    scores = [float(z[b][k][i][j]) for k in range(len(z[b]))]
                    pixels.append((probabilities(scores), int(y[b][i][j]), scores, b, i, j))
        pictures.append(pixels)
    return pictures if per_image else [[pixel for part in pictures for pixel in part]]


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def weighted_mean(pairs):
    pairs = list(pairs)
    return sum(v * w for v, w in pairs) / sum(w for _, w in pairs)


def number_of_classes(z):
    return max(len(z[0]), 2)


def judged(z, weight):
    """Classes a region loss looks at, with their weights."""
    if weight is None:
        return [(1, 1.0)] if len(z[0]) == 1 else [(k, 1.0) for k in range(len(z[0]))]
    return list(enumerate(weight))


# pixel losses ------------------------------------------------------------------------------------


def cross_entropy(z, y, per_image=False, weight=None, smoothing=0.0):
    classes = number_of_classes(z)
    results = []
    for pixels in sets_of_pixels(z, y, per_image):
        pairs = []
        for p, label, *_ in pixels:
            plain = -math.log(p[label])
            spread = -mean(math.log(q) for q in p)
            w = weight[label] if weight else 1.0
            pairs.append(((1 - smoothing) * plain + smoothing * spread, w))
        results.append(weighted_mean(pairs))
    assert classes >= 2
    return mean(results)


def frequency_weights(z, y, rule, counts=None):
    classes = number_of_classes(z)
    if counts is None:
        counts = [0] * classes
        for _, label, *_ in sets_of_pixels(z, y, False)[0]:
            counts[label] += 1
    total, present = sum(counts), sum(1 for n in counts if n)
    if rule == "balanced":
        return [total / (present * n) if n else 0.0 for n in counts]
    return [1 / math.log(rule + n / total) for n in counts]


def balanced(z, y, per_image=False, weight=None, counts=None):
    w = frequency_weights(z, y, "balanced", counts)
    return cross_entropy(
        z, y, per_image, [a * b for a, b in zip(w, weight or [1] * len(w), strict=True)]
    )


def bounded(z, y, per_image=False, weight=None, counts=None, bound=1.02):
    w = frequency_weights(z, y, bound, counts)
    return cross_entropy(
        z, y, per_image, [a * b for a, b in zip(w, weight or [1] * len(w), strict=True)]
    )


def instance_cross_entropy(z, y, instances, per_image=False, weight=None, limit=math.inf):
    sizes = {}
    for b, picture in enumerate(instances):
        for row in picture:
            for name in row:
                if name > 0:
                    sizes[b, int(name)] = sizes.get((b, int(name)), 0) + 1
    results = []
    for number, pixels in enumerate(sets_of_pixels(z, y, per_image)):
        average = mean(size for (b, _), size in sizes.items() if b == number or not per_image)
        pairs = []
        for p, label, _, b, i, j in pixels:
            name = int(instances[b][i][j])
            w = min(limit, average / sizes[b, name]) if name > 0 else 1.0
            pairs.append((-math.log(p[label]), w * (weight[label] if weight else 1.0)))
        results.append(weighted_mean(pairs))
    return mean(results)


def ohem(z, y, threshold, min_kept, per_image=False, weight=None):
    results = []
    for pixels in sets_of_pixels(z, y, per_image):
        hard = sorted(pixels, key=lambda pixel: pixel[0][pixel[1]])
        last = hard[min(min_kept, len(hard)) - 1]
        cut = max(threshold, last[0][last[1]])
        kept = [(p[label], label) for p, label, *_ in pixels if p[label] <= cut]
        results.append(weighted_mean((-math.log(p), weight[k] if weight else 1) for p, k in kept))
    return mean(results)


def topk(z, y, fraction, per_image=False, weight=None):
    results = []
    for pixels in sets_of_pixels(z, y, per_image):
        hard = sorted(pixels, key=lambda pixel: pixel[0][pixel[1]])
        kept = hard[: math.ceil(fraction * len(hard))]
        pairs = [(-math.log(p[k]), weight[k] if weight else 1) for p, k, *_ in kept]
        results.append(weighted_mean(pairs))
    return mean(results)


def focal(z, y, gamma, per_image=False, weight=None, alpha=None):
    results = []
    for pixels in sets_of_pixels(z, y, per_image):
        pairs = []
        for p, k, *_ in pixels:
            a = 1.0 if alpha is None else (alpha if k == 1 else 1 - alpha)
            pairs.append((-a * (1 - p[k]) ** gamma * math.log(p[k]), weight[k] if weight else 1))
        results.append(weighted_mean(pairs))
    return mean(results)


def focal_sigmoid(z, y, gamma, per_image=False, weight=None):
    results = []
    for pixels in sets_of_pixels(z, y, per_image):
        pairs = []
        for _, label, scores, *_ in pixels:
            value = 0.0
            for k, score in enumerate(scores):
                p = 1 / (1 + math.exp(-score))
                q = p if label == (1 if len(scores) == 1 else k) else 1 - p
                value -= (1 - q) ** gamma * math.log(q)
            pairs.append((value, weight[label] if weight else 1))
        results.append(weighted_mean(pairs))
    return mean(results)


def ldam(z, y, counts, max_margin, scale, per_image=False, weight=None):
    rarest = min(n for n in counts if n)
    results = []
    for pixels in sets_of_pixels(z, y, per_image):
        pairs = []
        for _, k, scores, *_ in pixels:
            scores = [0.0, *scores] if len(scores) == 1 else list(scores)
            scores[k] -= max_margin * (rarest / counts[k]) ** 0.25
            scores = [scale * s for s in scores]
            total = math.log(sum(math.exp(s) for s in scores))
            pairs.append((total - scores[k], weight[k] if weight else 1))
        results.append(weighted_mean(pairs))
    return mean(results)


# region losses -----------------------------------------------------------------------------------


def per_class(z, y, term, per_image=False, weight=None, skip=False):
    """Weighted mean over classes, then over pictures, of term(list of (p, is it the class))."""
    results = []
    for pixels in sets_of_pixels(z, y, per_image):
        pairs = []
        for k, w in judged(z, weight):
            members = [(p[k], label == k) for p, label, *_ in pixels]
            if skip and not any(true for _, true in members):
                continue
            pairs.append((term(members), w))
        if pairs:
            results.append(weighted_mean(pairs))
    return mean(results)


def counts_of(members):
    tp = sum(p for p, true in members if true)
    fp = sum(p for p, true in members if not true)
    fn = sum(1 - p for p, true in members if true)
    tn = sum(1 - p for p, true in members if not true)
    return tp, fp, fn, tn


def dice(z, y, smooth, squared=False, **rest):
    def term(members):
        tp = sum(p for p, true in members if true)
        area = sum(p * p if squared else p for p, _ in members)
        truth = sum(1 for _, true in members if true)
        return 1 - (2 * tp + smooth) / (area + truth + smooth)

    return per_class(z, y, term, **rest)


def jaccard(z, y, smooth, **rest):
    def term(members):
        tp, fp, fn, _ = counts_of(members)
        return 1 - (tp + smooth) / (tp + fp + fn + smooth)

    return per_class(z, y, term, **rest)


def tversky(z, y, alpha, beta, smooth, gamma=1.0, **rest):
    def term(members):
        tp, fp, fn, _ = counts_of(members)
        return (1 - (tp + smooth) / (tp + alpha * fp + beta * fn + smooth)) ** gamma

    return per_class(z, y, term, **rest)


def generalised_dice(z, y, power, absent, per_image=False, weight=None):
    classes = number_of_classes(z)
    weight = weight or [1.0] * classes
    results = []
    for pixels in sets_of_pixels(z, y, per_image):
        top = bottom = 0.0
        sizes = [sum(1 for _, label, *_ in pixels if label == k) for k in range(classes)]
        rare = max(1 / n**power for n in sizes if n)
        for k, size in enumerate(sizes):
            w = 1 / size**power if size else {"largest": rare, "zero": 0.0}.get(absent)
            if absent == "epsilon":
                w = 1 / (size + 1e-10) ** power
            overlap = sum(p[k] for p, label, *_ in pixels if label == k)
            area = sum(p[k] for p, *_ in pixels)
            top += weight[k] * w * overlap
            bottom += weight[k] * w * (area + size)
        results.append(1 - 2 * top / bottom)
    return mean(results)


def sensitivity_specificity(z, y, ratio, smooth, **rest):
    def term(members):
        own = [(1 - p) ** 2 for p, true in members if true]
        other = [p * p for p, true in members if not true]
        first = sum(own) / (len(own) + smooth)
        return ratio * first + (1 - ratio) * sum(other) / (len(other) + smooth)

    return per_class(z, y, term, **rest)


def mcc(z, y, **rest):
    def term(members):
        tp, fp, fn, tn = counts_of(members)
        root = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        return 1 - (tp * tn - fp * fn) / root

    return per_class(z, y, term, skip=True, **rest)


def wasserstein_dice(z, y, matrix, background, smooth, per_image=False, weight=None):
    largest = max(max(row) for row in matrix)
    results = []
    for pixels in sets_of_pixels(z, y, per_image):
        hits = errors = 0.0
        for p, label, *_ in pixels:
            w = weight[label] if weight else 1.0
            price = sum(matrix[label][k] / largest * p[k] for k in range(len(p)))
            hits += w * matrix[label][background] / largest * (1 - price)
            errors += w * price
        results.append(1 - (2 * hits + smooth) / (2 * hits + errors + smooth))
    return mean(results)


def exponential_logarithmic(
    z, y, counts, first, second, gamma, smooth, per_image=False, weight=None
):
    def term(members):
        tp, fp, fn, _ = counts_of(members)
        return (-math.log((2 * tp + smooth) / (2 * tp + fp + fn + smooth))) ** gamma

    results = []
    for pixels in sets_of_pixels(z, y, per_image):
        values = []
        for p, k, *_ in pixels:
            w = math.sqrt(sum(counts) / counts[k]) * (weight[k] if weight else 1)
            values.append(w * (-math.log(p[k])) ** gamma)
        results.append(mean(values))
    return first * per_class(z, y, term, per_image, weight) + second * mean(results)


def jaccard_loss_of(wrong, truth):
    """The Jaccard loss when the pixels in `wrong` are predicted wrongly, by counting sets."""
    true = {i for i, flag in enumerate(truth) if flag}
    predicted = (true - wrong) | (wrong - true)
    union = true | predicted
    return 1 - len(true & predicted) / len(union) if union else 0.0


def lovasz_extension(errors, truth, order=None):
    order = order or sorted(range(len(errors)), key=lambda i: -errors[i])
    value, before, wrong = 0.0, 0.0, set()
    for i in order:
        wrong = wrong | {i}
        after = jaccard_loss_of(wrong, truth)
        value += errors[i] * (after - before)
        before = after
    return value


def lovasz_softmax(z, y, skip=True, **rest):
    def term(members):
        return lovasz_extension(
            [abs(float(true) - p) for p, true in members], [true for _, true in members]
        )

    return per_class(z, y, term, skip=skip, **rest)


def lovasz_hinge(z, y, per_image=False):
    results = []
    for pixels in sets_of_pixels(z, y, per_image):
        truth = [label == 1 for _, label, *_ in pixels]
        errors = [max(0.0, 1 - s[0] * (1 if k == 1 else -1)) for _, k, s, *_ in pixels]
        results.append(lovasz_extension(errors, truth))
    return mean(results)
