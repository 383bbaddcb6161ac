"""`--predict`: the predicted ImageNet accuracy in the output of commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_analyze_marks_it_as_predicted_beside_the_published(run: Run) -> None:
    plain, predicted = run("analyze", "resnet50"), run("analyze", "resnet50", "--predict")
    assert "predicted" not in plain.out
    words = " ".join(predicted.out.split())
    assert "published top-1 76.1 % ImageNet, torchvision IMAGENET1K_V1, recipe tv_in1k" in words
    for part in ("predicted top-1", "% in 9 of 10 cases, under recipe tv_in1k; from",
                 "published results; not measured"):  # fmt: skip
        assert part in words


def test_analyze_as_json(run: Run) -> None:
    found = json.loads(run("analyze", "resnet50", "--recipe", "a1_in1k", "--format", "json").out)
    predicted = found["predicted"]
    assert predicted["low"] < predicted["mean"] < predicted["high"]
    assert (predicted["recipe"], predicted["unlike"]) == ("a1_in1k", [])
    assert found["reference"]["top1"] == 76.13
    assert json.loads(run("analyze", "resnet50", "--format", "json").out)["predicted"] is None


def test_says_in_what_a_network_is_unlike_the_fitted(run: Run) -> None:
    words = " ".join(run("analyze", "lenet5", "--predict").out.split())
    assert "unlike anything that it was fitted on, so that its interval may not hold: 1" in words


def test_says_why_there_is_no_prediction(run: Run) -> None:
    result = run("analyze", "siamese", "--predict")
    assert result.code == 0
    assert "no prediction for a network of 2 inputs" in result.out
    found = json.loads(run("analyze", "siamese", "--predict", "--format", "json").out)
    assert found["predicted"] is None
    assert found["unpredicted"] == "no prediction for a network of 2 inputs"


@pytest.mark.parametrize("command", [["analyze"], ["compare"], ["report", "--format", "json"]])
def test_an_unknown_recipe_is_one_line(run: Run, command: list[str]) -> None:
    result = run(*command, "resnet18", "--recipe", "tv_in1")
    assert result.code == 2
    assert result.err == "error: no recipe 'tv_in1', did you mean 'tv_in1k'?\n"


def test_a_changed_network_has_no_published_accuracy(run: Run) -> None:
    result = run("analyze", "resnet50", "--set", "width=2", "--predict")
    assert "published top-1" not in result.out
    assert "predicted top-1" in result.out


def test_compare_has_columns(run: Run) -> None:
    header = "network,input,params,params_ratio,macs,macs_ratio"
    plain = run("compare", "resnet18", "lenet5", "--format", "csv").out.splitlines()
    assert "top1" not in plain[0]
    rows = run("compare", "resnet18", "lenet5", "--predict", "--format", "csv").out.splitlines()
    assert rows[0].startswith(header)
    assert rows[0].endswith("predicted_top1,predicted_interval,published_top1")
    assert rows[1].endswith(",0.69758")
    assert ",? " in rows[2]


def test_zoo_has_the_published_accuracy(run: Run) -> None:
    rows = run("zoo", "--format", "csv").out.splitlines()
    place = rows[0].split(",").index("published_top1")
    published = {row.split(",")[0]: row.split(",")[place] for row in rows[1:]}
    assert published["vgg16"] == "0.71592"
    assert published["lenet5"] == ""


def test_report_weighs_predicted_accuracy_against_macs(run: Run, tmp_path: Path) -> None:
    data = json.loads(
        run("report", "resnet18", "mobilenet_v2", "--predict", "--format", "json").out
    )
    for network in data["networks"]:
        assert 0.6 < network["values"]["predicted_top1"] < 0.8
        assert network["accuracy"][1].startswith("predicted top-1")
    assert "Pareto-optimal in macs and predicted top-1" in " ".join(data["words"])
    saved = tmp_path / "saved.json"
    saved.write_text(run("analyze", "resnet18", "--predict", "--format", "json").out)
    again = json.loads(run("report", str(saved), "--format", "json").out)
    assert again["networks"][0]["values"]["predicted_top1"] > 0.6


def test_plot_of_accuracy_against_macs(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    chart = tmp_path / "chart.svg"
    result = run("plot", "pareto", "resnet18", "mobilenet_v2", "--predict", "-o", str(chart))
    assert result.code == 0
    assert "predicted top-1" in chart.read_text()


def test_a_space_is_predicted_by_networks_drawn_from_it(run: Run) -> None:
    words = ("space", "mobile", "--budget", "300MFLOPs", "--samples", "10", "--predict")
    assert "predicted ImageNet top-1 of 25 networks drawn from those that fit: " in run(*words).out
    found = json.loads(run(*words, "--format", "json").out)["predicted"]
    means = [found[key]["mean"] for key in ("lowest", "median", "highest")]
    assert means == sorted(means)
    assert 60 < means[0] < means[-1] < 80
    assert found["networks"] == 25
