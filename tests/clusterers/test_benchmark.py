"""The benchmark's small case: all codes find the instances, ours as well as their rivals."""

from pathlib import Path

from scripts import benchmark_clustering
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


def test_no_script_keeps_compiled_code_on_disk():
    """A script is `__main__`, `name` and `scripts.name`; a cached kernel knows but one of them."""
    scripts = Path(benchmark_clustering.__file__).parent.glob("*.py")
    assert [file.name for file in scripts if "cache=True" in file.read_text()] == []
