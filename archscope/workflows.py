"""Build, train, search and report, each with one call: the Python interface of whole tasks.

`archscope.build`, `archscope.train`, `archscope.search` and `archscope.report` call these
functions. The packages with the same names have their parts, for programs that need more control.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archscope.api import graph_of
from archscope.errors import OptionError
from archscope.sources import GivenInputs

if TYPE_CHECKING:
    from torch import Tensor

    from archscope.build import Network
    from archscope.datasets import Dataset
    from archscope.search.evaluator_search import Evaluator
    from archscope.search.prior_search import PriorSearchResult
    from archscope.search.result import SearchResult
    from archscope.train import Recipe, RunResult


def build(
    network: Any,
    *,
    weights: str | Path | Mapping[str, Tensor] | None = None,
    set: Mapping[str, Any] | None = None,
    input: GivenInputs = None,
    device: str | None = None,
) -> Network:
    """Build the torch module of a network.

    `network`, `set` and `input` are those of `archscope.analyze`. `weights` is a state dict or a
    file with one, whose names are those of the network; without it, the module has torch's random
    initialisation, also if `network` is a module or a file with weights of its own. The module
    takes a tensor (N, C, ...) for each input. Raises ArchscopeError.
    """
    from archscope.build import build as build_module
    from archscope.weights import load_weights, read_weights

    module = build_module(graph_of(network, set=set, input=input), device=device)
    if isinstance(weights, Mapping):
        load_weights(module, weights, "weights")
    elif weights is not None:
        load_weights(module, read_weights(Path(weights)), str(weights))
    return module


def train(
    network: Any,
    data: str | Dataset = "digits",
    *,
    set: Mapping[str, Any] | None = None,
    input: GivenInputs = None,
    recipe: str | Recipe | None = None,
    run_dir: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    data_dir: str | Path | None = None,
    **knobs: Any,
) -> RunResult:
    """Train a network on images, and return its scores and the module with its best weights.

    `network`, `set` and `input` are those of `archscope.analyze`. `data` is a data set, or the name
    of one as in `archscope train --data`. `recipe` is a `Recipe` or the name of one, and `knobs`
    change it: `epochs=3, batch=64`. `run_dir` is the new folder of the run; with None, nothing is
    kept. For a metric loss, such as `loss="triplet"`, a classifier is trained without its last
    layer. Raises ArchscopeError.
    """
    from archscope import datasets
    from archscope.datasets.lookup import anywhere
    from archscope.train import Recipe
    from archscope.train.metric_learning.embedding import without_classifier
    from archscope.train.recipe_files import change, read_for
    from archscope.train.training import train as train_graph

    graph = graph_of(network, set=set, input=input)
    chosen = change(recipe, knobs) if isinstance(recipe, Recipe) else read_for(recipe, knobs)
    folder = None if data_dir is None else Path(data_dir)
    if isinstance(data, str):
        dataset = datasets.load(data, folder, network=graph.inputs[0].out)
        name, place = anywhere(data, folder)
        source = {"name": name, "folder": place}
    else:
        dataset, source = data, None
    if chosen.metric:
        graph, _ = without_classifier(graph, len(dataset.classes))
    return train_graph(
        graph, dataset, chosen, run_dir=run_dir, seed=seed, device=device, data=source
    )


def search(
    space: str = "mnas",
    budget: str | Sequence[str] = (),
    *,
    set: Mapping[str, Any] | None = None,
    input: GivenInputs = None,
    data: str | None = None,
    trials: int | None = None,
    seed: int = 0,
    folder: str | Path | None = None,
    prior: str = "auto",
    judge: str = "auto",
    max_time: float | None = None,
    top: int = 2,
    workers: int = 1,
    epochs: int | None = None,
    images: int | None = None,
    evaluate: Evaluator | None = None,
    metric: str | None = None,
    direction: str | None = None,
    **settings: Any,
) -> SearchResult | PriorSearchResult:
    """Search a space for the best network within budgets, and store the study in a folder.

    The arguments are those of the options of `archscope search`: `space` is a name or a path,
    `budget` one budget or several that must all hold, `data` the name of a data set. Without
    `data`, a prior judges if it covers the space. `folder` is by default `studies/` and the name of
    the space; a folder with the same configuration is resumed. `evaluate` is a function that takes
    the graph of a network and returns its score, from 0 to 1 and higher is better, or a dict with
    `score` and further numbers; then nothing is trained, and no prior judges. `metric` is another
    name for its scores, of which the dict has it: they may be any finite numbers, and `direction`,
    "maximize" or "minimize", says which are better. `epochs` and `images` are those of each
    training, `max_time` is in seconds, and `settings` are further fields of
    `archscope.search.config.SearchConfig`. Raises ArchscopeError; after KeyboardInterrupt the same
    call continues.
    """
    from archscope.datasets.lookup import default_images
    from archscope.search.config import SearchConfig
    from archscope.search.evaluation import Trainer
    from archscope.search.evaluator_search import metric_settings, name_of, search_by_evaluator
    from archscope.search.judged_search import judged_search
    from archscope.search.judging import TRIALS, choose_judge
    from archscope.search.local_executor import LocalExecutor
    from archscope.search.reference_costs import costs_in
    from archscope.sources import document, shapes_of
    from archscope.space.budget import budgets
    from archscope.space.search_space import space as space_of

    changes: dict[str, Any] = {"set": dict(set or {}), "input": shapes_of(input)}
    networks = space_of(document(space), **changes)
    texts = [budget] if isinstance(budget, str) else budget
    path = Path("studies", Path(space).stem) if folder is None else Path(folder)
    if evaluate is not None:
        given = {"data": data, "epochs": epochs, "images": images}
        for word, value in {**given, "judge": None if judge == "auto" else judge}.items():
            if value is not None:
                raise OptionError(f"evaluate excludes {word}: the function alone gives scores")
        config = SearchConfig(
            spec=space,
            budgets=budgets(texts, costs_in(lambda: networks)),
            seed=seed,
            trainer=Trainer(data=""),
            trials=trials or TRIALS["evaluator"],
            judge="evaluator",
            evaluator=name_of(evaluate),
            **changes,
            **{"lag": 1, "eta": 0, **metric_settings(metric, direction, networks), **settings},
        )
        return search_by_evaluator(config, path, evaluate, max_time=max_time, top=top)
    if metric is not None or direction is not None:
        raise OptionError("metric and direction are of the scores of evaluate, which is not given")
    chosen = choose_judge(networks, space, prior=prior, judge=judge, has_data=data is not None)
    config = SearchConfig(
        spec=space,
        budgets=budgets(texts, costs_in(lambda: networks)),
        seed=seed,
        trainer=Trainer(
            data=data or default_images(),
            images=images,
            recipe={} if epochs is None else {"epochs": epochs},
            seed=seed,
            adapt={"channels": "repeat"},
        ),
        **chosen.settings(trials),
        **changes,
        **settings,
    )
    executor = partial(LocalExecutor, workers=workers)
    return judged_search(config, path, chosen, executor=executor, max_time=max_time, top=top)


def report(
    *sources: Any,
    output: str | Path = "report.html",
    title: str | None = None,
    date: str | None = None,
    **costs: Any,
) -> Path:
    """Write a self-contained HTML page that compares networks, runs and studies.

    A source is the path or name of a spec, a run, a study or a JSON file, as in `archscope report`,
    or the result of `archscope.train` or `archscope.search`; by default the most recent run or
    study, or else the zoo. `date` is the date on the page, such
    as 2026-01-31, or "none"; by default today. `costs` are keyword arguments of `archscope.analyze`
    for specs. What cannot be read is listed on the page. Returns the path of the page. Raises
    ArchscopeError.
    """
    from archscope.files import write_text
    from archscope.report.pages.dates import date_of
    from archscope.report.pages.html import html
    from archscope.report.pages.inputs import ReportInputs
    from archscope.report.pages.source_names import default_sources

    inputs = ReportInputs(costs)
    for source in sources or default_sources():
        place = getattr(source, "folder", source)
        if not isinstance(place, str | Path):
            raise OptionError(
                "a source of a report is a path, a name, or the result of a training or a search"
                f" with a folder, got a {type(source).__name__}"
            )
        inputs.add(str(place))
    inputs.check()
    path = Path(output)
    write_text(path, html(inputs.page(title, date_of(date))))
    return path
