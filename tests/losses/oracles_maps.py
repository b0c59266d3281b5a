"""Slow oracles of the losses that look at a pixel's surroundings, and of those with side inputs."""

import math

from tests.losses.oracles import judged, mean, probabilities, sets_of_pixels, weighted_mean


def nearest(inside, spacing, wanted, i, j):
    """Distance from (i, j) to the nearest pixel whose membership is `wanted`."""
    best = math.inf
    for a, row in enumerate(inside):
        for b, member in enumerate(row):
            if bool(member) == wanted:
                best = min(best, math.hypot((a - i) * spacing[0], (b - j) * spacing[1]))
    return best


def field(inside, spacing=(1, 1), signed=False, both=True):
    """Distance map of one class; 0 where the class is empty or everywhere."""
    total = sum(bool(m) for row in inside for m in row)
    if total in (0, len(inside) * len(inside[0])):
        return [[0.0] * len(inside[0]) for _ in inside]
    result = []
    for i, row in enumerate(inside):
        line = []
        for j, member in enumerate(row):
            if member:
                depth = nearest(inside, spacing, False, i, j)
                line.append(min(spacing) - depth if signed else depth)
            else:
                line.append(nearest(inside, spacing, True, i, j) if both else 0.0)
        result.append(line)
    return result


def mean_over_maps(z, y, value, per_image, weight):
    """Weighted mean over classes of the mean over pixels of value(b, k, i, j, p)."""
    results = []
    for pixels in sets_of_pixels(z, y, per_image):
        pairs = []
        for k, w in judged(z, weight):
            pairs.append((mean(value(b, k, i, j, p[k]) for p, _, _, b, i, j in pixels), w))
        results.append(weighted_mean(pairs))
    return mean(results)


def boundary(z, y, spacing=(1, 1), per_image=False, weight=None):
    maps = {
        (b, k): field([[v == k for v in row] for row in y[b]], spacing, signed=True)
        for b in range(len(z))
        for k, _ in judged(z, weight)
    }
    return mean_over_maps(z, y, lambda b, k, i, j, p: p * maps[b, k][i][j], per_image, weight)


def hausdorff(z, y, form, power, spacing=(1, 1), per_image=False, weight=None):
    maps = {}
    for b in range(len(z)):
        for k, _ in judged(z, weight):
            said = []
            for i in range(len(y[b])):
                said.append([])
                for j in range(len(y[b][0])):
                    p = probabilities([float(z[b][c][i][j]) for c in range(len(z[b]))])
                    hit = p[k] > 0.5 if form == "both" else p[k] == max(p)
                    said[-1].append(hit and y[b][i][j] != -1)
            true = field([[v == k for v in row] for row in y[b]], spacing, both=form == "both")
            guess = field(said, spacing, both=form == "both")
            maps[b, k] = [
                [t**power + g**power for t, g in zip(ts, gs, strict=True)]
                for ts, gs in zip(true, guess, strict=True)
            ]

    def value(b, k, i, j, p):
        return (float(y[b][i][j] == k) - p) ** 2 * maps[b, k][i][j]

    return mean_over_maps(z, y, value, per_image, weight)


def in_band(labels, width, i, j):
    """Does the window around (i, j) hold two labels that are not -1?"""
    half = width // 2
    seen = set()
    for a in range(max(0, i - half), min(len(labels), i + half + 1)):
        for b in range(max(0, j - half), min(len(labels[0]), j + half + 1)):
            if labels[a][b] != -1:
                seen.add(int(labels[a][b]))
    return labels[i][j] != -1 and len(seen) > 1


def band_labels(y, width):
    return [
        [
            [int(v) if in_band(picture, width, i, j) else -1 for j, v in enumerate(row)]
            for i, row in enumerate(picture)
        ]
        for picture in y
    ]


KERNEL = ((1, 0, -1), (2, 0, -2), (1, 0, -1))


def sobel(values, i, j, zeros):
    """Gradient of a plane of numbers at one pixel; outside: 0, or the nearest pixel."""
    gx = gy = 0.0
    for a in range(3):
        for b in range(3):
            r, c = i + a - 1, j + b - 1
            out = not (0 <= r < len(values) and 0 <= c < len(values[0]))
            r, c = min(max(r, 0), len(values) - 1), min(max(c, 0), len(values[0]) - 1)
            value = 0.0 if zeros and out else values[r][c]
            gx += KERNEL[a][b] * value
            gy += KERNEL[b][a] * value
    return gx, gy, math.sqrt(gx * gx + gy * gy + 1e-6)


def refine(z, y, image, width, share, magnitude, zeros, per_image=False, weight=None):
    results = []
    for pixels in sets_of_pixels(z, y, per_image):
        pairs = []
        for _, label, _, b, i, j in pixels:
            rows, columns = range(len(y[b])), range(len(y[b][0]))
            grey = [[mean(float(ch[r][c]) for ch in image[b]) for c in columns] for r in rows]
            mask = [
                [1 - probabilities([float(ch[r][c]) for ch in z[b]])[0] for c in columns]
                for r in rows
            ]
            around = [y[b][r][c] for r in rows for c in columns if max(abs(r - i), abs(c - j)) < 2]
            value = 0.0
            if in_band(y[b], width, i, j) and -1 not in around:
                gx, gy, g = sobel(grey, i, j, zeros)
                hx, hy, h = sobel(mask, i, j, zeros)
                cosine = abs(gx / g * hx / h + gy / g * hy / h)
                value = share * (1 - cosine) * h + (1 - share) * max(0.0, magnitude * g - h)
            pairs.append((value, weight[label] if weight else 1.0))
        results.append(weighted_mean(pairs))
    return mean(results)


def consistency(z, teacher, temperature, valid):
    values = []
    for b in range(len(z)):
        for i in range(len(z[b][0])):
            for j in range(len(z[b][0][0])):
                if valid[b][i][j]:
                    p, q = (
                        probabilities([float(ch[i][j]) / temperature for ch in scores[b]])
                        for scores in (z, teacher)
                    )
                    values += [c * math.log(c / a) for a, c in zip(p, q, strict=True)]
    return temperature**2 * mean(values)


def semantic_encoding(presence, y, weight=None):
    results = []
    for scores, picture in zip(presence, y, strict=True):
        labels = {int(v) for row in picture for v in row}
        pairs = []
        for k, score in enumerate(scores):
            p = 1 / (1 + math.exp(-float(score)))
            there = (1 if len(scores) == 1 else k) in labels
            pairs.append((-math.log(p if there else 1 - p), weight[k] if weight else 1.0))
        results.append(weighted_mean(pairs))
    return mean(results)


def piecewise_pull(d, delta_v, delta_d):
    if d <= delta_v:
        return 0.0
    if d <= delta_d:
        return (d - delta_v) ** 2
    return d - delta_d + (delta_d - delta_v) ** 2


def category_consistent(features, y, delta_v, delta_d, alpha, beta, gamma, per_image):
    sets = [[] for _ in features] if per_image else [[]]
    for b, picture in enumerate(y):
        for i, row in enumerate(picture):
            for j, label in enumerate(row):
                if label != -1:
                    x = [float(ch[i][j]) for ch in features[b]]
                    sets[b if per_image else 0].append((int(label), x))
    totals = []
    for pixels in sets:
        classes = sorted({label for label, _ in pixels})
        centre, pull = {}, []
        for k in classes:
            members = [x for label, x in pixels if label == k]
            centre[k] = [mean(column) for column in zip(*members, strict=True)]
            prices = [piecewise_pull(math.dist(x, centre[k]), delta_v, delta_d) for x in members]
            pull.append(mean(prices))
        push = [
            max(0.0, 2 * delta_d - math.dist(centre[a], centre[b])) ** 2
            for a in classes
            for b in classes
            if a != b
        ]
        reg = mean(math.hypot(*centre[k]) for k in classes)
        totals.append(alpha * mean(pull) + beta * (mean(push) if push else 0) + gamma * reg)
    return mean(totals)
