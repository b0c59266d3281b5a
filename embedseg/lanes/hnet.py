"""H-Net: a homography predicted from the picture, in which lanes are easy to fit.

Neven et al., Towards End-to-End Lane Detection (LaneNet), arXiv:1802.05591, section II-B. A small
network looks at the picture (64 x 128) and gives the six numbers of

        | a  b  c |
    H = | 0  d  e |        in which rows stay rows;
        | 0  f  1 |

lane points p are taken to p' = H p, a polynomial x' = sum_k w_k y'^k is fitted by least squares in
closed form, w = (Y^T Y)^-1 Y^T x', and brought back; the loss is the mean squared distance across,
in the picture, between points and fit. Everything is differentiable, so the network learns H from
lane points alone.

Coordinates here are normalised: x = (column + 1/2) / W - 1/2 and y = 1 - (row + 1/2) / H, which is
0 at the bottom and 1 at the top, so that H = identity is image space and f = -1 / (horizon's y).
(Of the six numbers only f changes the fit: a, b, c, d, e are maps that a polynomial undoes.)

Deviations from the paper: f is held to [-MAX_F, 0] and the denominator f y + 1 to >= NEAREST, so
that no point goes to infinity while learning. What lies beyond a horizon has no place in the
plane, so a predicted horizon that a lane reaches is wrong and is raised before a fit (`cleared`).
The first convolution has stride 2, and average pooling to 8 x 4 cells stands before 64 units
instead of 1,024: a fifth of the work, 0.2 M parameters, and rows are still told apart, which the
horizon needs.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from embedseg._cv2 import cv2
from embedseg.io import InputError, atomic_path
from embedseg.lanes.polylines import Lanes, Size, at_rows, clipped

INPUT: Size = (64, 128)
CELLS = (8, 4)  # rows and columns of what is left of the picture before the linear layers
MAX_F = 2.5  # the horizon lies at least 1 / 2.5 of the height above the bottom
NEAREST = 0.02  # least denominator; what lies nearer to the horizon is held there
RIDGE = 1e-7  # on the diagonal of Y^T Y, whose entries are about 1
START_F = -1.2  # first guess: a horizon at 0.83 of the height, above most lanes
CLEAR = 0.1  # denominator at the topmost lane point of a corrected plane: as of ten times the
# distance of the bottom row
POINTS = 40  # rows at which a lane is read for training


class HNet(nn.Module):
    """From pictures (B, 3, 64, 128), uint8 or 0 to 1, to homographies (B, 3, 3), normalised."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, stride = 3, 2
        for out in (width, 2 * width, 4 * width):
            if layers:
                layers.append(nn.MaxPool2d(2))
            for _ in range(2):
                layers += [
                    nn.Conv2d(channels, out, 3, stride, padding=1, bias=False),
                    nn.BatchNorm2d(out),
                    nn.ReLU(),
                ]
                channels, stride = out, 1
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(CELLS), nn.Flatten())
        cells = CELLS[0] * CELLS[1]
        self.numbers = nn.Sequential(nn.Linear(cells * channels, 64), nn.ReLU(), nn.Linear(64, 6))
        for values in self.numbers[-1].parameters():
            nn.init.zeros_(values)

    def forward(self, picture: Tensor) -> Tensor:
        """Return the homographies; at first the same fixed one for every picture."""
        scaled = picture.float() / 255 if picture.dtype == torch.uint8 else picture
        return homography(self.numbers(self.features(scaled - 0.5)))


def homography(numbers: Tensor) -> Tensor:
    """Return H (B, 3, 3) of six free numbers (B, 6); zeros give the first guess."""
    a, b, c, d, e, f = numbers.float().unbind(-1)
    share = -START_F / MAX_F
    f = -MAX_F * torch.sigmoid(f + float(np.log(share / (1 - share))))
    zero, one = torch.zeros_like(a), torch.ones_like(a)
    rows = [torch.exp(a), b, c, zero, torch.exp(d), e, zero, f, one]
    return torch.stack(rows, -1).reshape(-1, 3, 3)


def cleared(h: Tensor, top: Tensor) -> Tensor:
    """Return H (B, 3, 3) whose horizons no lane crosses; `top` (B,): the y up to which lanes reach.

    Where f y + 1 < NEAREST there, which holds points fast or takes them behind the horizon, f
    becomes the one with f y + 1 = CLEAR.
    """
    f, top = h[:, 2, 1], top.clamp(min=1e-3).to(h)
    raised = h.clone()
    raised[:, 2, 1] = torch.where(f * top + 1 < NEAREST, (CLEAR - 1) / top, f)
    return raised


def project(points: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return x', y' and the denominator of points (B, L, P, 2) under H (B, 3, 3)."""
    a, b, c, d, e, f = (
        h[:, i, j, None, None] for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 1))
    )
    x, y = points.unbind(-1)
    w = (f * y + 1).clamp(min=NEAREST)
    return (a * x + b * y + c) / w, (d * y + e) / w, w


def fit_errors(points: Tensor, mask: Tensor, h: Tensor, *, degree: int = 2) -> Tensor:
    """Return (B, L, P) distances across, in the picture, of points from the fit under H.

    `points` (B, L, P, 2) normalised, `mask` (B, L, P) of those that exist; others give 0. A lane
    with fewer than degree + 1 points is fitted exactly.
    """
    if degree < 1:
        raise ValueError(f"degree must be >= 1, got {degree}; the paper uses 2 and 3")
    u, v, w = project(points.double(), h.double())
    m = mask.double()
    count = m.sum(-1, keepdim=True).clamp(min=1)
    mean = (v * m).sum(-1, keepdim=True) / count
    spread = (((v - mean) ** 2 * m).sum(-1, keepdim=True) / count).clamp(min=1e-12).sqrt()
    t = (v - mean) / spread
    terms = torch.stack([t**k for k in range(degree + 1)], -1) * m[..., None]
    normal = terms.transpose(-1, -2) @ terms / count[..., None]
    normal = normal + RIDGE * torch.eye(degree + 1, dtype=normal.dtype, device=normal.device)
    right = terms.transpose(-1, -2) @ (u * m)[..., None] / count[..., None]
    fitted = (terms @ torch.linalg.solve(normal, right))[..., 0]
    back = w / h[:, 0, 0, None, None].double()
    errors: Tensor = ((fitted - u * m) * back).abs() * m
    return errors


def hnet_loss(points: Tensor, mask: Tensor, h: Tensor, *, degree: int = 2) -> Tensor:
    """Return the mean squared fit error of the points that exist; 0, attached, without any."""
    errors = fit_errors(points, mask, h, degree=degree)
    return (errors**2).sum() / mask.sum().clamp(min=1) + 0.0 * h.sum()


def lane_points(lanes: Lanes, *, rows: int = POINTS, max_lanes: int = 8) -> tuple[Tensor, Tensor]:
    """Return normalised points (max_lanes, rows, 2) and their mask of one picture's lanes.

    Each lane is read at evenly spaced rows, as far as it lies inside the picture. Of more than
    `max_lanes` the tallest are taken.
    """
    height, width = lanes.known_size
    at = (np.arange(rows) + 0.5) / rows * height - 0.5
    tallest = sorted(clipped(lanes).points, key=lambda lane: -float(np.ptp(lane[:, 1])))[:max_lanes]
    points = np.zeros((max_lanes, rows, 2), np.float32)
    mask = np.zeros((max_lanes, rows), bool)
    for index, lane in enumerate(tallest):
        x = at_rows(lane, at)
        mask[index] = (x >= -0.5) & (x <= width - 0.5)
        points[index, :, 0] = np.where(mask[index], (x + 0.5) / width - 0.5, 0)
        points[index, :, 1] = 1 - (at + 0.5) / height
    return torch.from_numpy(points), torch.from_numpy(mask)


def thumbnail(image: NDArray[np.uint8]) -> Tensor:
    """Return the picture (H, W, 3) as the network sees it, (3, 64, 128) uint8."""
    small = cv2.resize(image, INPUT[::-1], interpolation=cv2.INTER_AREA)
    return torch.from_numpy(np.ascontiguousarray(small.transpose(2, 0, 1)))


def image_homography(
    net: HNet, image: NDArray[np.uint8], first_row: float | None = None
) -> NDArray[np.float64]:
    """Return the (3, 3) homography of a picture (H, W, 3), for its pixels, as `fit_lanes` takes it.

    The plane's rows count upwards from the bottom, as the normalised ones do. `first_row` of the
    lanes, where it is known, is kept below the horizon.
    """
    device = next(net.parameters()).device
    with torch.inference_mode():
        found = net(thumbnail(image)[None].to(device)).double().cpu()
    height, width = image.shape[:2]
    if first_row is not None:
        found = cleared(found, torch.tensor([1 - (first_row + 0.5) / height]))
    h = found[0].numpy()
    normalise = np.array(
        [
            [1 / width, 0, 0.5 / width - 0.5],
            [0, -1 / height, 1 - 0.5 / height],
            [0, 0, 1],
        ]
    )
    return np.asarray(h @ normalise, np.float64)


def save_hnet(net: HNet, path: str | Path) -> None:
    """Write the weights as safetensors, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(save({k: v.contiguous() for k, v in net.state_dict().items()}))


def load_hnet(path: str | Path) -> HNet:
    """Read the weights that `save_hnet` wrote, or the best ones of a run of `train-hnet`.

    Raises InputError for anything else.
    """
    path = Path(path)
    path = path / "weights" / "best.safetensors" if path.is_dir() else path
    if not path.is_file():
        raise InputError(f"{path}: no such file; train one with embedseg train-hnet")
    net = HNet()
    try:
        net.load_state_dict(load_file(path))
    except (RuntimeError, ValueError, OSError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: not the weights of an H-Net ({reason})") from error
    return net.eval()
