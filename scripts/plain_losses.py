"""Each loss as the plainest torch expression of its formula, the rivals of `benchmark_losses.py`.

No ignored pixels, no weights, no checks: a line or two as one would write them in a notebook. The
target is turned into float one-hot maps where the formula has them.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (the usual name)

from embedseg.losses.distance_maps import batch_maps

Extra = Mapping[str, Tensor]
Plain = Callable[[Tensor, Tensor, Extra], Tensor]
SMALL = 1e-6


def regions(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return probabilities and one-hot truth (B, K, H, W); of one logit, the foreground's."""
    if z.shape[1] == 1:
        return z.sigmoid(), y[:, None].float()
    return z.softmax(1), F.one_hot(y, z.shape[1]).permute(0, 3, 1, 2).float()


def pixels(z: Tensor, y: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the cross-entropy of each pixel."""
    if z.shape[1] > 1:
        return F.cross_entropy(z, y, weight=weight, reduction="none")
    plain = F.binary_cross_entropy_with_logits(z[:, 0], y.float(), reduction="none")
    return plain if weight is None else plain * weight[y]


def cross_entropy(z: Tensor, y: Tensor, _: Extra) -> Tensor:
    """CE."""
    return pixels(z, y).mean()


def counts(z: Tensor, y: Tensor) -> Tensor:
    """Return the pixels of each class."""
    return torch.bincount(y.flatten(), minlength=max(z.shape[1], 2)).float()


def weighted(z: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """Return the class-weighted mean CE."""
    return pixels(z, y, weight).sum() / weight[y].sum()


def balanced(z: Tensor, y: Tensor, _: Extra) -> Tensor:
    """CE with inverse frequencies."""
    n = counts(z, y)
    return weighted(z, y, n.sum() / (len(n) * n.clamp(min=1)))


def bounded(z: Tensor, y: Tensor, _: Extra) -> Tensor:
    """CE with bounded inverse frequencies."""
    n = counts(z, y)
    return weighted(z, y, 1 / torch.log(1.02 + n / n.sum()))


def instance(z: Tensor, y: Tensor, extra: Extra) -> Tensor:
    """CE with inverse sizes, one instance after the other."""
    ids, weight = extra["instances"], torch.ones(y.shape)
    parts = [(image, k) for image in range(len(ids)) for k in ids[image].unique() if k > 0]
    sizes = [(ids[image] == k).sum() for image, k in parts]
    average = torch.stack(sizes).float().mean()
    for (image, k), size in zip(parts, sizes, strict=True):
        weight[image][ids[image] == k] = average / size
    return (pixels(z, y) * weight).sum() / weight.sum()


def ohem(z: Tensor, y: Tensor, _: Extra) -> Tensor:
    """CE of hard pixels, by a sort."""
    values = pixels(z, y).flatten()
    ordered = values.sort(descending=True).values
    cut = torch.minimum(-torch.log(torch.tensor(0.7)), ordered[min(100_000, len(ordered)) - 1])
    return values[values >= cut].mean()


def topk(z: Tensor, y: Tensor, _: Extra) -> Tensor:
    """CE of the worst tenth."""
    values = pixels(z, y).flatten()
    return values.topk(-(-len(values) // 10)).values.mean()


def focal(z: Tensor, y: Tensor, _: Extra) -> Tensor:
    """Focal."""
    ce = pixels(z, y)
    return ((1 - torch.exp(-ce)) ** 2 * ce).mean()


def ldam(z: Tensor, y: Tensor, _: Extra) -> Tensor:
    """Margins by rarity, then CE."""
    if z.shape[1] == 1:
        z = torch.cat([torch.zeros_like(z), z], 1)
    margin = 1 / counts(z, y).clamp(min=1) ** 0.25
    hot = F.one_hot(y, z.shape[1]).permute(0, 3, 1, 2).float()
    shift = hot * (0.5 * margin / margin.max())[:, None, None]
    return F.cross_entropy(30 * (z - shift), y)


def sums(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return overlap, prediction and truth per class."""
    p, r = regions(z, y)
    return (p * r).sum((0, 2, 3)), p.sum((0, 2, 3)), r.sum((0, 2, 3))


def dice(z: Tensor, y: Tensor, _: Extra) -> Tensor:
    """Dice."""
    both, p, r = sums(z, y)
    return (1 - (2 * both + SMALL) / (p + r + SMALL)).mean()


def jaccard(z: Tensor, y: Tensor, _: Extra) -> Tensor:
    """IoU."""
    both, p, r = sums(z, y)
    return (1 - (both + SMALL) / (p + r - both + SMALL)).mean()


def generalised_dice(z: Tensor, y: Tensor, _: Extra) -> Tensor:
    """GDL."""
    if z.shape[1] == 1:
        z = torch.cat([torch.zeros_like(z), z], 1)
    both, p, r = sums(z, y)
    w = 1 / r.clamp(min=1) ** 2
    return 1 - 2 * (w * both).sum() / (w * (p + r)).sum()


def tversky(z: Tensor, y: Tensor, _: Extra) -> Tensor:
    """Tversky."""
    both, p, r = sums(z, y)
    return (1 - both / (both + 0.3 * (p - both) + 0.7 * (r - both) + SMALL)).mean()


def focal_tversky(z: Tensor, y: Tensor, _: Extra) -> Tensor:
    """Focal Tversky."""
    both, p, r = sums(z, y)
    return ((1 - both / (both + 0.3 * (p - both) + 0.7 * (r - both) + SMALL)) ** 0.75).mean()


def lovasz(z: Tensor, y: Tensor, _: Extra) -> Tensor:
    """Lovasz-softmax as in the authors' code: a sort per class."""
    p, r = regions(z, y)
    terms = [extension((r[:, k] - p[:, k]).abs().flatten(), r[:, k].flatten())
             for k in range(z.shape[1])]  # fmt: skip
    return torch.stack(terms).mean()


def lovasz_hinge(z: Tensor, y: Tensor, _: Extra) -> Tensor:
    """Lovasz hinge as in the authors' code."""
    r = y.float()
    return extension((1 - z[:, 0] * (2 * r - 1)).relu().flatten(), r.flatten())


def extension(errors: Tensor, truth: Tensor) -> Tensor:
    """Return the Lovasz extension by differences of the Jaccard loss."""
    ordered, place = errors.sort(descending=True)
    hit = truth[place]
    loss = 1 - (hit.sum() - hit.cumsum(0)) / (hit.sum() + (1 - hit).cumsum(0))
    return (ordered * torch.cat([loss[:1], loss[1:] - loss[:-1]])).sum()


def sensitivity_specificity(z: Tensor, y: Tensor, _: Extra) -> Tensor:
    """Sensitivity-specificity."""
    p, r = regions(z, y)
    wrong, over = (r - p) ** 2, (0, 2, 3)
    miss = (wrong * r).sum(over) / (r.sum(over) + SMALL)
    return (0.05 * miss + 0.95 * (wrong * (1 - r)).sum(over) / ((1 - r).sum(over) + SMALL)).mean()


def mcc(z: Tensor, y: Tensor, _: Extra) -> Tensor:
    """Matthews correlation."""
    p, r = regions(z, y)
    over = (0, 2, 3)
    tp, tn = (p * r).sum(over), ((1 - p) * (1 - r)).sum(over)
    fp, fn = (p * (1 - r)).sum(over), ((1 - p) * r).sum(over)
    root = ((tp + fp).sqrt() * (tp + fn).sqrt() * (tn + fp).sqrt() * (tn + fn).sqrt()) + SMALL
    return (1 - (tp * tn - fp * fn) / root).mean()


def wasserstein(z: Tensor, y: Tensor, _: Extra) -> Tensor:
    """Generalised Wasserstein Dice with M = 1 - I."""
    if z.shape[1] == 1:
        z = torch.cat([torch.zeros_like(z), z], 1)
    p = z.softmax(1)
    matrix = 1 - torch.eye(z.shape[1])
    price = torch.einsum("bhwk,bkhw->bhw", matrix[y], p)
    hits = (matrix[y][..., 0] * (1 - price)).sum()
    return 1 - 2 * hits / (2 * hits + price.sum())


def exponential_logarithmic(z: Tensor, y: Tensor, _: Extra) -> Tensor:
    """Exponential-logarithmic."""
    both, p, r = sums(z, y)
    score = (2 * both + 1) / (p + r + 1)
    n = counts(z, y)
    weight = (n.sum() / n.clamp(min=1)).sqrt()
    first = (-torch.log(score)).clamp(min=SMALL) ** 0.3
    return 0.8 * first.mean() + 0.2 * (weight[y] * pixels(z, y).clamp(min=SMALL) ** 0.3).mean()


def boundary(z: Tensor, y: Tensor, extra: Extra) -> Tensor:
    """Boundary, maps given."""
    return (regions(z, y)[0] * extra["distance"]).mean()


def hausdorff(z: Tensor, y: Tensor, extra: Extra) -> Tensor:
    """Hausdorff, maps of the truth given, those of the prediction by the same transform."""
    p, r = regions(z, y)
    best = p.max(1)
    guess = (p[:, 0] > 0.5).long() if z.shape[1] == 1 else best.indices
    guess = guess.where(best.values > 0.5, -1)
    maps = batch_maps(guess, z.shape[1], signed=False)
    return ((r - p) ** 2 * (extra["border_distance"] ** 2 + maps**2)).mean()


def band(z: Tensor, y: Tensor, _: Extra) -> Tensor:
    """CE where a max-pool and a min-pool of 15 pixels differ."""
    grown = F.max_pool2d(y[:, None].float(), 15, 1, 7)
    shrunk = -F.max_pool2d(-y[:, None].float(), 15, 1, 7)
    mask = (grown > shrunk)[:, 0].float()
    return (pixels(z, y) * mask).sum() / mask.sum().clamp(min=1)


def refine(z: Tensor, y: Tensor, extra: Extra) -> Tensor:
    """BANet's refine loss by convolutions."""
    kernel = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
    sobel = torch.stack([kernel, kernel.T])[:, None]
    p = z.sigmoid() if z.shape[1] == 1 else 1 - z.softmax(1)[:, :1]
    g = F.conv2d(extra["image"].mean(1, keepdim=True), sobel, padding=1)
    h = F.conv2d(p, sobel, padding=1)
    long, tall = (v.square().sum(1).add(SMALL).sqrt() for v in (g, h))
    grown = F.max_pool2d(y[:, None].float(), 7, 1, 3)[:, 0]
    mask = (grown > -F.max_pool2d(-y[:, None].float(), 7, 1, 3)[:, 0]).float()
    turn = (1 - ((g * h).sum(1) / (long * tall)).abs()) * tall
    return (mask * (0.5 * turn + 0.5 * (1.5 * long - tall).relu())).mean()


def total(*parts: tuple[float, Plain]) -> Plain:
    """Return the weighted sum of plain losses."""
    return lambda z, y, extra: sum((w * f(z, y, extra) for w, f in parts), torch.zeros(()))


PLAIN: dict[str, Plain] = {
    "balanced_cross_entropy": balanced,
    "band": band,
    "bce": cross_entropy,
    "boundary": boundary,
    "bounded_cross_entropy": bounded,
    "cross_entropy": cross_entropy,
    "dice": dice,
    "dice_cross_entropy": total((1, dice), (1, cross_entropy)),
    "dice_focal": total((1, dice), (1, focal)),
    "exponential_logarithmic": exponential_logarithmic,
    "focal": focal,
    "focal_tversky": focal_tversky,
    "generalised_dice": generalised_dice,
    "generalised_dice_boundary": total((1, generalised_dice), (0.1, boundary)),
    "hausdorff": hausdorff,
    "instance_cross_entropy": instance,
    "jaccard": jaccard,
    "ldam": ldam,
    "lovasz_hinge": lovasz_hinge,
    "lovasz_softmax": lovasz,
    "mcc": mcc,
    "ohem": ohem,
    "refine": refine,
    "sensitivity_specificity": sensitivity_specificity,
    "topk": topk,
    "tversky": tversky,
    "wasserstein_dice": wasserstein,
}
