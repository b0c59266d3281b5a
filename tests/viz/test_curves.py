"""Training curves from whatever a metrics table holds."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from embedseg.viz import plot_metrics
from embedseg.viz.curves import _panels, _spread, read_metrics

FULL = """epoch,loss,pull,push,reg,foreground,lr,val_sbd,val_dic,seconds
1,3.0,1.0,1.5,2.0,0.5,0.001,,,12
2,1.0,0.5,0.2,2.0,0.3,0.001,0.61,2.5,12
3,0.2,nan,0.1,inf,0.2,0.0005,0.84,1.0,12
"""


def test_columns_and_panels(tmp_path):
    (tmp_path / "m.csv").write_text(FULL)
    epochs, columns = read_metrics(tmp_path / "m.csv")
    assert epochs.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(columns["pull"], [1.0, 0.5, np.nan])
    np.testing.assert_array_equal(columns["val_sbd"], [np.nan, 0.61, 0.84])
    assert _panels(columns) == {
        "Training loss": ["loss", "pull", "push", "reg", "foreground"],
        "Validation scores": ["val_sbd"],
        "Validation, other": ["val_dic"],
        "Learning rate": ["lr"],
    }


@pytest.mark.parametrize(
    "text",
    [
        FULL,
        "epoch,loss\n",
        "",
        "epoch,loss\n1,0.5\n",
        "loss\n1\n2\n",
        "epoch,loss,val_sbd\n1,nan,nan\n2,nan,\n",
        "epoch,loss,note\n1,0,hello\n2,0,\n",
        "epoch,push\n1,-1\n2,5000\n",
        "epoch,loss,val_sbd\n1,0.5\n2,0.4,0.9,7\n",
    ],
)
def test_any_table_gives_a_picture(tmp_path, text):
    (tmp_path / "m.csv").write_text(text)
    plot_metrics(tmp_path / "m.csv", tmp_path / "m.png")
    picture = np.asarray(Image.open(tmp_path / "m.png").convert("L"))
    assert picture.min() < 128 < picture.max()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.csv", "m.png"]


def test_names_at_line_ends_do_not_overlap():
    heights = _spread([0.5, 0.51, 0.5, 0.99, 1.0])
    assert np.diff(sorted(heights)).min() > 0.07 and max(heights) <= 1.0
    assert np.argsort(heights).tolist() == [0, 2, 1, 3, 4]


def test_importing_viz_loads_no_matplotlib():
    code = "import sys, embedseg.viz; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
