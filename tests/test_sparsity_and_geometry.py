"""The study behind the chapter on sparsity: what it holds constant is constant, what it tells was measured."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from interp import geometry, norms, studies
from interp.report import figures, style, svg


@pytest.fixture(scope="module", autouse=True)
def store(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("INTERP_RESULTS", str(tmp_path_factory.mktemp("results")))
    yield patch
    patch.undo()


@pytest.fixture(scope="module")
def shapes():
    return studies.norm_shapes("everyday", concepts=80)


@pytest.fixture(scope="module")
def scores():
    points = [(0.05, 3), (0.15, 3)]
    return studies.synthetic_scores(
        "minilm", "everyday", points, (0.0, 0.8), features=60, folds=4, largest=8, concepts=100
    )


def test_random_targets_keep_what_they_are_named_for(shapes):
    table = shapes[0].set_index("targets")
    real, margins, density = (table.loc[name] for name in ("as they are", "same margins", "same density"))
    for kept in ("density", "held by one", "held by five", "most common", "features a concept"):
        assert margins[kept] == real[kept], kept
    assert density["density"] == pytest.approx(real["density"], rel=0.1)
    assert density["most common"] < real["most common"]


def test_shapes_are_those_of_the_norms(shapes):
    values = studies.some_concepts(norms.load("everyday"), 80).values
    real = shapes[0].set_index("targets").loc["as they are"]
    assert real["effective rank"] == pytest.approx(geometry.effective_rank(values))
    assert real["best rho"] == pytest.approx(geometry.best_rho_of(values))
    spectrum = shapes[1].query("targets == 'as they are'")["share"].to_numpy()
    assert (np.diff(spectrum) >= -1e-12).all()
    assert spectrum[-1] == pytest.approx(1)  # fewer concepts than components kept


def test_synthetic_norms_have_the_density_asked_for(scores):
    assert sorted(scores["density"].unique()) == pytest.approx([0.05, 0.15], abs=1e-3)


def test_without_a_link_the_embedding_stays_at_the_floor_and_with_one_it_does_not(scores):
    auc = scores[(scores["metric"] == "auc-feature") & (scores["scoring"] == "held-out")]
    auc = auc.set_index(["density", "alpha", "input"])["estimate"]
    for density in scores["density"].unique():
        assert auc[density, 0.0, "embedding"] == pytest.approx(0.5, abs=0.06)
        assert auc[density, 0.8, "noise"] == pytest.approx(0.5, abs=0.06)
        assert auc[density, 0.8, "embedding"] > 0.6
        assert auc[density, 0.8, "floor"] == 0.5
        assert auc[density, 0.8, "ceiling"] > 0.7


def test_rho_is_told_as_a_share_of_its_best(scores):
    held = scores[(scores["scoring"] == "held-out") & (scores["input"] == "embedding")]
    wide = held.pivot_table(index=["density", "alpha"], columns="metric", values="estimate")
    assert np.allclose(wide["rho / rho-max"], wide["rho"] / wide["rho-max"])
    assert (scores["low"] <= scores["estimate"] + 1e-6)[scores["estimate"].notna()].all()


def test_the_mean_vector_on_ratings_follows_the_closed_form():
    found = studies.ratings_floor("everyday", [0.3, 0.6], features=300, concepts=150).set_index(["between", "metric"])
    for between in (0.3, 0.6):
        assert found.loc[(between, "rho"), "estimate"] == pytest.approx(geometry.rho_of_means(between), abs=0.07)
        assert found.loc[(between, "rho-max"), "estimate"] == pytest.approx(1)


def test_labels_keep_their_digits_inside_a_page(scores):
    with plt.rc_context():
        style.apply()
        sweep = figures.synthetic_sweep(scores, along="density", label="density", metrics=["r2"], linked=0.8)
        drawn = svg.inline(sweep, "sweep", "words")
    labels = [label.get_text() for label in sweep.axes[-1].get_xticklabels()]
    assert any(len(label) >= 4 for label in labels)  # 0.05 and the like
    assert all(f">{label}<" in drawn for label in labels)
    plt.close("all")


def test_figures_draw_what_they_are_given(shapes, scores):
    spectra = figures.spectra(shapes[1])
    assert len(spectra.axes) == 1
    assert len(spectra.axes[0].lines) == 3
    sweep = figures.synthetic_sweep(scores, along="density", label="density", metrics=["f1@10", "r2"], linked=0.8)
    assert len(sweep.axes) == 4
    real = shapes[0][shapes[0]["targets"] == "as they are"]
    bars = {"estimate": [0.1], "low": [0.05], "high": [0.2]}
    reach = figures.reach_of_rho(
        real,
        pd.DataFrame({"norms": ["everyday"], "what": ["mean vector"], **bars}),
        pd.DataFrame({"between": [0.3], **bars}),
    )
    assert len(reach.axes) == 2
    plt.close("all")
