"""A batch on a cluster: what is left, done again, reported, and survives."""

import argparse
import os
import pickle
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from planted import QUICK

from napari_lithium_alloy import batch_cluster, batch_tasks, cli_batch
from napari_lithium_alloy.batch import _failure, analyse_all, outcomes_of
from napari_lithium_alloy.batch_cluster import Workers, cluster_at, local_cluster
from napari_lithium_alloy.batch_tasks import Job
from napari_lithium_alloy.cli import main
from napari_lithium_alloy.comparisons import Comparison, write_study_results
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.row_blocks import thread_count, use_threads
from napari_lithium_alloy.core.tables import TABLES
from napari_lithium_alloy.io.cyclers import ColumnsNotToldError
from napari_lithium_alloy.io.study_file import read_study
from napari_lithium_alloy.io.study_tables import conditions_of, read_study_table, study_files
from napari_lithium_alloy.io.tables import read_csv
from napari_lithium_alloy.sample_data import sample_parameters, write_sample
from napari_lithium_alloy.study_folder import StudyFolder

pytest.importorskip("distributed", reason="batches need the extra [cluster]")
pytest.importorskip("pyarrow", reason="batches need the extra [cluster]")

GIB = 1024**3
STUDY = """
name = "three cells"
[[recordings]]
glob = "cells/[ab]"
salt = "LiPF6"
current_density_ma_cm2 = 0.5
[[recordings]]
path = "cells/c/recording.toml"
cell = "C"
salt = "LiFSI"
"""
MEANS = ("pair_study.pearson_r", "sites.radius_um", "cycles.coulombic_efficiency")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Three small cells on disk and the file of their study."""
    folder = tmp_path_factory.mktemp("study")
    for seed, name in enumerate("abc"):
        parameters = sample_parameters("au_one_cycle").change(
            seed=seed, shape=(64, 64), count=3, spacing_um=0.8,
            frame_interval_s=6.0, epi_interval_s=100.0,
        )  # fmt: skip
        write_sample(parameters, folder / "cells" / name)
        with (folder / "cells" / name / "recording.toml").open("a") as file:
            file.write(QUICK)
    (folder / "study.toml").write_text(STUDY)
    return folder


@pytest.fixture(scope="module")
def serial(made) -> Path:
    """The study analysed one recording after another, without a cluster."""
    study, out = read_study(made / "study.toml"), made / "serial"
    outcomes = outcomes_of(study, out)
    for outcome in outcomes:
        outcome.out.parent.mkdir(parents=True, exist_ok=True)
        job = Job(path=str(outcome.entry.path), out=str(outcome.out), threads=1)
        outcome.begun = batch_tasks.begin(job)
        outcome.notes = batch_tasks.finish(job)
        outcome.status, outcome.reason = "analysed", ""
    write_study_results(
        study, outcomes, out, Comparison(means=MEANS, formats=["svg"]).checked(study)
    )
    use_threads(None)
    return out


@pytest.fixture
def again(made, serial, tmp_path) -> Path:
    """The study and its results, to be changed."""
    shutil.copytree(made / "cells", tmp_path / "cells")
    shutil.copytree(serial, tmp_path / "out")
    shutil.copy(made / "study.toml", tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def client():
    """A cluster within this process: its workers are threads."""
    from distributed import Client

    with Client(
        processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None,
        set_as_default=False,
    ) as one:  # fmt: skip
        yield one
    use_threads(None)


@pytest.fixture
def here(monkeypatch, client):
    """The command runs on that cluster."""

    @contextmanager
    def cluster(_workers):
        yield client

    monkeypatch.setattr(cli_batch, "local_cluster", cluster)


@pytest.fixture
def no_figures(monkeypatch):
    """Drawing is what takes longest, and `serial` does it."""
    monkeypatch.setattr(StudyFolder, "save", lambda *_: None)


@pytest.fixture
def analyses(monkeypatch):
    """Names of the recordings that are analysed; none really is."""
    seen = []

    def analyze_into(experiment, out, **_more):
        yield 1, 1
        seen.append(out.name)
        return SimpleNamespace(notes=["anew"]), []

    monkeypatch.setattr(batch_tasks, "analyze_into", analyze_into)
    return seen


def contents(folder: Path) -> dict[str, bytes]:
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    stamps = folder / "recordings"
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in files
        if p.suffix in (".csv", ".parquet", ".tif") or (p.suffix == ".json" and p.parent != stamps)
    }


def run(client, folder, **more):
    study = read_study(folder / "study.toml")
    outcomes = outcomes_of(study, folder / "out")
    analyse_all(client, outcomes, threads=1, **more)
    return outcomes


def states(outcomes):
    return [(o.entry.name, o.status) for o in outcomes]


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_loses_nothing(made, serial, no_figures):
    """Two workers, one of them killed while it analyses: the same bytes as without a cluster."""
    study, out = read_study(made / "study.toml"), made / "killed"
    outcomes = outcomes_of(study, out)
    told, killed = [], []

    with local_cluster(Workers.chosen(2, memory_bytes=3 * GIB)) as client:

        def kill_another(outcome):
            told.append(outcome.entry.name)
            if not killed:
                busy = {w: [k for k in keys if k.startswith("finish")]
                        for w, keys in client.processing().items()}  # fmt: skip
                pids = client.run(os.getpid)
                killed.append(pids[next(w for w, keys in busy.items() if keys)])
                os.kill(killed[0], signal.SIGKILL)

        analyse_all(client, outcomes, threads=1, told=kill_another)
        assert killed[0] not in client.run(os.getpid).values()
    assert sorted(told) == ["a", "b", "c"]
    assert {o.status for o in outcomes} == {"analysed"}
    assert not list((out / "recordings").glob(".*"))
    write_study_results(
        study, outcomes, out, Comparison(means=MEANS, formats=["svg"]).checked(study)
    )
    one, other = contents(serial), contents(out)
    assert set(one) == set(other)
    assert [name for name in one if one[name] != other[name]] == []
    assert len(one) > 3 * len(TABLES)


def test_the_tables_of_all_recordings_have_their_conditions_in_front(serial):
    front = ["recording", "cell", "current_density_ma_cm2", "salt"]
    recordings = read_study_table(serial, "study_recordings")
    assert recordings[front].values.tolist() == [
        ["a", "a", 0.5, "LiPF6"], ["b", "b", 0.5, "LiPF6"], ["c", "C", 0.5, "LiFSI"],
    ]  # fmt: skip
    assert recordings["current_density_source"].tolist() == [
        "given", "given", "its potential and film",
    ]  # fmt: skip
    assert conditions_of(recordings) == front[2:]
    assert recordings["measured_ma_cm2"].tolist() == pytest.approx([0.4994] * 3, rel=1e-3)
    names = set(study_files(serial))
    assert {"sites", "curves", "pores", "colocalization", "cycles", "site_study"} < names
    for name in TABLES:
        whole = read_study_table(serial, name)
        assert list(whole.columns) == front + list(TABLES[name])
        each = [read_csv(serial / "recordings" / r / f"{name}.csv") for r in "abc"]
        assert len(whole) == sum(map(len, each))
        of_c = whole[whole["recording"] == "c"].drop(columns=front).reset_index(drop=True)
        pd.testing.assert_frame_equal(of_c, each[2], check_dtype=name != "stage_lags")


def test_csv_and_parquet_hold_the_same(serial, monkeypatch):
    for name in ("curves", "sites", "study_recordings", "replicate_means", "pores"):
        parquet = read_study_table(serial, name)
        with monkeypatch.context() as patch:
            patch.setattr("importlib.util.find_spec", lambda _: None)
            csv = read_study_table(serial, name)
        pd.testing.assert_frame_equal(csv, parquet)


def test_comparisons_are_those_of_the_recordings(serial):
    means = read_study_table(serial, "replicate_means")
    radius = means[(means["column"] == "radius_um")].set_index("salt")
    each = {r: read_csv(serial / "recordings" / r / "sites.csv")["radius_um"].mean() for r in "abc"}
    assert radius.loc["LiPF6", "mean"] == pytest.approx((each["a"] + each["b"]) / 2)
    assert radius.loc["LiPF6", "n_cells"] == 2
    assert radius.loc["LiFSI", "mean"] == pytest.approx(each["c"])
    assert radius.loc["LiFSI", "reason"] == "one cell has no error"
    assert np.isnan(radius.loc["LiFSI", "standard_error"])
    pairs = read_study_table(serial, "pair_study")
    a = read_csv(serial / "recordings/a/colocalization.csv").set_index(["a", "b"])
    key = ("cycle1_step1_unalloyed_middle", "cycle1_step2_alloyed_middle")
    own = pairs[(pairs["recording"] == "a") & (pairs["a"] == key[0]) & (pairs["b"] == key[1])]
    assert own["pearson_r"].tolist() == [a.loc[key, "pearson_r"]]
    assert own["pair"].tolist() == ["S1 unalloyed mid & S2 alloyed mid"]
    sites = read_study_table(serial, "site_study")
    assert sites["recording"].tolist() == ["a", "b", "c"]
    for name in ("r_against_rate", "means", "sites_against_current"):
        assert (serial / f"fig_{name}.svg").stat().st_size > 2000
    words = (serial / "fig_r_against_rate.svg").read_text()
    assert "Current density (mA cm⁻²)" in words
    assert "LiFSI" in words


def test_only_what_is_missing_failed_or_changed_is_analysed_again(client, again, analyses):
    assert states(run(client, again)) == [("a", "current"), ("b", "current"), ("c", "current")]
    assert analyses == []
    stamp = again / "cells/a/recording.toml"
    os.utime(stamp, (1, 1))  # as a copy may: its contents are the same
    assert states(run(client, again))[0] == ("a", "current")
    with stamp.open("a") as file:
        file.write("# a parameter would be here\n")
    (again / "out/recordings/c/sites.csv").unlink()
    assert states(run(client, again)) == [("a", "analysed"), ("b", "current"), ("c", "analysed")]
    assert sorted(analyses) == ["a", "c"]
    last = run(client, again)
    assert {o.status for o in last} == {"current"}
    assert [o.notes == ("anew",) for o in last] == [True, False, True]


def test_another_version_analyses_all_again(client, again, analyses, monkeypatch):
    monkeypatch.setattr("napari_lithium_alloy.io.run_stamp.__version__", "0.0.0")
    run(client, again)
    assert len(analyses) == 3


def test_one_failure_is_reported_and_stops_nothing(here, again, capsys, no_figures):
    (again / "cells/b/potential.csv").write_text("what,ever\n1,2\n3,4\n")
    out = again / "out"
    arguments = ["batch", str(again / "study.toml"), "--out", str(out), "--formats", "svg"]
    assert main(arguments) == 1
    told = capsys.readouterr()
    assert "b: not analysed: " in told.err
    assert "Traceback" not in told.err
    assert "three cells: 2 of 3 recordings" in told.out
    recordings = read_study_table(out, "study_recordings").set_index("recording")
    assert recordings["status"].tolist() == ["analysed", "failed", "analysed"]
    assert "potential.csv" in recordings.loc["b", "reason"]
    assert set(read_study_table(out, "curves")["recording"]) == {"a", "c"}
    assert "mA cm-2: 0.5 (c)" in told.err


@pytest.mark.parametrize("workers", [4, 1])
def test_pieces_are_made_where_workers_would_be_idle(client, again, monkeypatch, workers):
    """A failure of a piece is left to the analysis, which meets it again."""
    monkeypatch.setattr(client, "nthreads", lambda: dict.fromkeys(range(workers), 1))
    order = []

    def begin_run(_experiment, out, **_more):
        yield 1, 1
        return ["one", "two"] if out.name == "a" else []

    def make_piece(_experiment, out, name, **_more):
        yield 1, 1
        order.append(f"{out.name} {name}")
        if name == "two":
            raise AlloyError("in two")

    def analyze_into(_experiment, out, **_more):
        yield 1, 1
        order.append(out.name)
        raise AlloyError(f"no {out.name}")

    for function in (begin_run, make_piece, analyze_into):
        monkeypatch.setattr(batch_tasks, function.__name__, function)
    shutil.rmtree(again / "out")
    steps = []
    outcomes = run(client, again, stepped=lambda *n: steps.append(n))
    pieces = ["a one", "a two"] if workers > 3 else []
    assert steps[-1] == (6 + len(pieces),) * 2  # three begun, pieces, three finished
    assert sorted(order[: len(pieces)]) == pieces
    assert sorted(order[len(pieces) :]) == ["a", "b", "c"]
    assert [o.reason for o in outcomes] == ["no a", "no b", "no c"]
    assert thread_count() == 1


def test_stopped_by_hand_what_is_finished_is_kept(here, again, capsys, monkeypatch, no_figures):
    (again / "out/recordings/b/sites.csv").unlink()
    (again / "out/recordings/c/sites.csv").unlink()

    real = cli_batch._tell

    def tell(text):
        real(text)
        if text.startswith("[1/3]"):
            raise KeyboardInterrupt

    monkeypatch.setattr(cli_batch, "_tell", tell)
    out = again / "out"
    assert main(["batch", str(again / "study.toml"), "--out", str(out), "--formats", "svg"]) == 1
    told = capsys.readouterr()
    assert "stopped; what is finished is kept" in told.err
    recordings = read_study_table(out, "study_recordings")
    assert recordings["status"].tolist() == ["analysed", "stopped", "stopped"]
    assert set(read_study_table(out, "sites")["recording"]) == {"a"}


def test_a_task_whose_workers_all_died_says_what_that_means():
    from distributed import KilledWorker

    def future(error, status="error"):
        return SimpleNamespace(status=status, exception=lambda: error)

    worker = SimpleNamespace(address="tcp://10.0.0.2:1")
    assert "want of memory" in _failure(future(KilledWorker("finish", worker, 4)))
    assert _failure(future(MemoryError("Unable\nto allocate"))) == (
        "MemoryError: Unable to allocate"
    )
    assert "cancelled" in _failure(future(None, "cancelled"))
    assert _failure(future(None, "finished")) == ""


def test_an_error_survives_the_way_between_processes():
    error = ColumnsNotToldError("choose columns", Path("x.csv"), ["a", "b"])
    back = pickle.loads(pickle.dumps(error))
    assert (str(back), back.path, back.names) == (str(error), error.path, error.names)
    assert str(pickle.loads(pickle.dumps(AlloyError("what to do")))) == "what to do"


def test_what_is_not_installed_is_named(monkeypatch, made, capsys):
    monkeypatch.setattr(batch_cluster.importlib.util, "find_spec", lambda _: None)
    assert main(["batch", str(made / "study.toml"), "--out", str(made / "none")]) == 1
    assert "pip install 'napari-lithium-alloy[cluster]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--means", "sites.size"], "no column sites.size"),
        (["--means", "sites.leaves"], "holds no numbers"),
        (["--by", "solvent"], "no condition solvent"),
        (["--formats", "bmp"], "not as bmp"),
        (["--scheduler", "tcp://127.0.0.1:1", "--workers", "2"], "of a cluster on this machine"),
        (["--memory", "10MB"], "needs 512 MiB"),
    ],
)
def test_a_wrong_option_is_one_sentence(made, capsys, arguments, sentence):
    assert main(["batch", str(made / "study.toml"), "--out", str(made / "no"), *arguments]) == 1
    assert sentence in capsys.readouterr().err
    assert not (made / "no").exists()


def test_no_scheduler(monkeypatch):
    monkeypatch.setattr(batch_cluster, "LONG_S", 0.5)
    with pytest.raises(AlloyError, match="No scheduler answers"), cluster_at("tcp://127.0.0.1:9"):
        pass
    with pytest.raises(AlloyError, match="is not there"), cluster_at("nowhere.json"):
        pass


def test_workers_share_a_quarter_of_the_machine(monkeypatch):
    monkeypatch.setattr(batch_cluster, "processors", lambda: 8)
    monkeypatch.setattr(batch_cluster, "machine_bytes", lambda: 128 * GIB)
    assert Workers.chosen() == Workers(n=8, threads=1, memory_bytes=4 * GIB)
    assert Workers.chosen(threads=2).n == 4
    monkeypatch.setattr(batch_cluster, "machine_bytes", lambda: 8 * GIB)
    assert Workers.chosen() == Workers(n=4, threads=1, memory_bytes=2 * GIB)
    assert str(Workers.chosen(2, 1, 3 * GIB)) == "2 workers of 1 thread, up to 3.0 GiB each"
    assert cli_batch._bytes("1.5 GB") == 1.5 * GIB
    with pytest.raises(AlloyError, match="needs 512 MiB"):
        Workers.chosen(2, 1, GIB // 4)
    with pytest.raises(argparse.ArgumentTypeError, match="lots is no size"):
        cli_batch._bytes("lots")
    with pytest.raises(argparse.ArgumentTypeError, match="0 is no whole number"):
        cli_batch._count("0")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux alone")
def test_a_worker_has_no_more_memory_of_its_own_and_maps_any_file(tmp_path):
    code = """
import sys, time
import numpy as np
from napari_lithium_alloy.batch_worker import own_bytes, watch_memory

watch_memory(own_bytes() + 300 * 1024**2)
stack = np.memmap(sys.argv[1], np.uint16, "r", shape=(1024, 1024, 1024))
print(int(stack[:, ::32].max()), float(np.ones(2**24).sum()), flush=True)
time.sleep(0.5)
kept = np.ones(2**26)
time.sleep(5)
print("too late")
"""
    with (tmp_path / "stack").open("wb") as file:
        file.truncate(2 * GIB)  # of holes
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "stack")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "0 16777216.0\n"
    assert done.returncode == 1
    assert "--memory gives more" in done.stderr
