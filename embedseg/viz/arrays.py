"""Names of the array types of this package."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Picture = NDArray[np.uint8]  # RGB (H, W, 3)
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
