"""A volume in a file is clustered where it lies, with a few bytes a point beside it."""

import re

from scripts import benchmark_volume


def test_a_mapped_volume_needs_little_beside_its_labels(tmp_path, capsys, monkeypatch):
    call = ["x", "--points", "6e5", "--folder", str(tmp_path), "--threads", "1"]
    monkeypatch.setattr("sys.argv", call)
    benchmark_volume.main()
    line = capsys.readouterr().out
    assert "300 of 300 clusters, ARI 1.0000" in line
    assert float(re.search(r"extra (\d+) MB", line)[1]) < 35  # the embedding has 10
    assert not list(tmp_path.iterdir())
