"""The benchmarks' small cases: all codes find the instances, ours as well as their rivals."""

import re
from pathlib import Path

from scripts import benchmark_clustering, benchmark_pipeline
from scripts.benchmark_cases import simulate


def test_all_codes_of_the_benchmark_agree_with_the_truth():
    families = ("MeanShift", "Threshold", "HDBSCAN", "DBSCAN")
    rows, floor = benchmark_clustering.benchmark(simulate("quick", 1.0), 1, 0.0, 1, families)
    ari = {row.name: row.ari for row in rows}
    assert len(ari) == 9
    assert min(ari.values()) > 0.95, ari
    assert all(row.recall == 1 for row in rows)
    assert ari["MeanShift"] > ari["scikit-learn MeanShift, bins"] - 0.005
    assert ari["HDBSCAN"] > ari["hdbscan"] - 0.005
    assert ari["DBSCAN"] > ari["scikit-learn DBSCAN"] - 0.005
    assert "ours: MeanShift" in benchmark_clustering.table(rows, floor)


def test_a_batch_of_lane_images_has_the_labels_of_each():
    seconds, ari = benchmark_clustering.batch("cpu", 1)
    assert seconds > 0
    assert ari == 1


def test_predict_writes_what_its_benchmark_segments(monkeypatch, capsys):
    monkeypatch.setattr(benchmark_pipeline, "QUICK", "leaves:1,3,size=64,leaves=3-4")
    monkeypatch.setattr(benchmark_pipeline, "keep_memory", lambda: None)  # for the whole process
    monkeypatch.setattr("sys.argv", ["x", "--quick", "--amp", "off"])
    benchmark_pipeline.main()
    told = capsys.readouterr().out
    assert "label files as `segment` has them: 1 of 1" in told
    assert float(re.search(r"SBD (\S+)", told)[1]) > 0.8
    assert re.search(r"predict: and overlay( +[\d.]+){4}\n", told)


def test_no_script_keeps_compiled_code_on_disk():
    """A script is `__main__`, `name` and `scripts.name`; a cached kernel knows but one of them."""
    scripts = Path(benchmark_clustering.__file__).parent.glob("*.py")
    assert [file.name for file in scripts if "cache=True" in file.read_text()] == []
