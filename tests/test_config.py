"""Every bound of every setting, and bad settings answered all at once."""

import math
import typing
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from recsys_core.config import (
    SETTINGS,
    AttentionSettings,
    EaseSettings,
    Environment,
    ItemKnnSettings,
    NeuralSettings,
    TransformerSettings,
    bounds,
    make_settings,
    read_settings,
)
from recsys_core.errors import ConfigError
from recsys_core.presets import PRESETS

# The smallest and the largest value that is allowed, and values just outside, setting by setting.
BOUNDS: dict[tuple[str, str], tuple[list[str], list[str]]] = {
    ("item-knn", "n_neighbours"): (["1", "10000"], ["0", "10001"]),
    ("item-knn", "shrinkage"): (["0", "1000"], ["-0.001", "1000.1"]),
    ("ease", "l2"): (["1e-9", "1000000"], ["0", "-1", "1000001"]),
    ("transitions", "window"): (["1", "200"], ["0", "201"]),
    ("transitions", "decay"): (["0.001", "1"], ["0", "1.001"]),
    ("als", "factors"): (["1", "1024"], ["0", "1025"]),
    ("als", "regularization"): (["1e-9", "1000000"], ["0", "1000001"]),
    ("als", "alpha"): (["1e-9", "1000000"], ["0", "1000001"]),
    ("als", "iterations"): (["1", "1000"], ["0", "1001"]),
    ("cross-encoder", "first_stage"): (["transitions", "item-knn", "ease", "als"], ["popularity", ""]),
    ("cross-encoder", "depth"): (["2", "1000"], ["1", "1001"]),
    ("cross-encoder", "max_length"): (["1", "50"], ["0", "51"]),
    ("cross-encoder", "item_tokens"): (["4", "128"], ["3", "129"]),
    ("cross-encoder", "steps"): (["1", "100000"], ["0", "100001"]),
    ("cross-encoder", "batch_size"): (["1", "1024"], ["0", "1025"]),
    ("cross-encoder", "negatives"): (["1", "100"], ["0", "101"]),
    ("cross-encoder", "learning_rate"): (["1e-9", "1"], ["0", "1.1"]),
    ("cross-encoder", "precision"): (["auto", "fp32", "bf16"], ["fp16", ""]),
    ("cross-encoder", "encoder"): (["x", "x" * 400], ["", "x" * 401]),
    ("ensemble", "members"): (["", "a,b", "x" * 2000], ["x" * 2001]),
    ("ensemble", "weights"): (["", "1,0.5", " 1 , .25", "1" * 400], ["1,", "a", "1.2.3", "-1,1", "1" * 401]),
    ("ensemble", "fusion"): (["log-probability", "standardised", "reciprocal-rank"], ["mean", ""]),
    ("transformer", "block"): (["sasrec", "ligr", "hstu"], ["gpt", ""]),
    ("bert4rec", "mask_share"): (["0.001", "0.9"], ["0", "0.91"]),
    ("lstm", "cell"): (["lstm", "gru"], ["rnn", ""]),
    ("lstm", "n_layers"): (["1", "8"], ["0", "9"]),
    **{
        ("transformer", key): (["true", "false"], ["maybe", ""])
        for key in ("event_type", "strength", "time", "request_time", "reviews", "place")
    },
    ("transformer", "teachers"): (["", "a,b", "x" * 2000], ["x" * 2001]),
    ("transformer", "teacher_share"): (["0.001", "1"], ["0", "1.1"]),
    **{(ranker, "attributes"): (["", "x" * 400], ["x" * 401]) for ranker in ("fusion", "hybrid")},
    **{(ranker, "reviews"): (["true", "false"], ["maybe", ""]) for ranker in ("fusion", "hybrid")},
}
OF_ATTENTION = {"n_blocks": (["1", "24"], ["0", "25"]), "n_heads": (["1", "16"], ["0", "17"])}
OF_EVERY_NEURAL_RANKER = {
    "epochs": (["1", "1000"], ["0", "1001"]),
    "patience": (["1", "1000"], ["0", "1001"]),
    "max_length": (["2", "1000"], ["1", "1001"]),
    "embedding_size": (["4", "1024"], ["3", "1025"]),
    "dropout": (["0", "0.999"], ["-0.1", "1"]),
    "optimizer": (["muon", "adamw"], ["sgd", ""]),
    "learning_rate": (["1e-9", "1"], ["0", "1.1"]),
    "weight_decay": (["0", "1"], ["-0.1", "1.1"]),
    "batch_size": (["1", "8192"], ["0", "8193"]),
    "accumulation": (["1", "1024"], ["0", "1025"]),
    "schedule": (["cosine", "constant", "linear"], ["step", ""]),
    "warm_up_share": (["0", "0.999"], ["-0.1", "1"]),
    "max_gradient_norm": (["0.001", "1000"], ["0", "1001"]),
    "precision": (["auto", "fp32", "bf16"], ["fp16", ""]),
    "encoder": (["x", "x" * 400], ["", "x" * 401]),
    "image_encoder": (["none"], ["", "x" * 401]),
    "image_folder": ([""], ["x" * 1001]),
    "fine_tune": (["none", "lora", "full"], ["some", ""]),
    "fine_tune_steps": (["1", "100000"], ["0", "100001"]),
    "encoder_pooling": (["auto", "mean", "cls", "last"], ["max", ""]),
    "encoder_precision": (["auto", "fp32", "bf16", "int8"], ["fp64", ""]),
    "item_id": (["true", "false"], ["maybe", ""]),
    "loss": (["softmax", "sampled-softmax", "gbce", "bce", "bpr"], ["mse", ""]),
    "n_negatives": (["1", "20000"], ["0", "20001"]),
    "negatives_exponent": (["0", "1"], ["-0.1", "1.1"]),
    "calibration": (["0", "1"], ["-0.1", "1.1"]),
    "group_attribute": (["", "g" * 400], ["g" * 401]),
    "group_objective": (["none", "resampling", "reweighting", "dro", "gap", "adversarial"], ["fair", ""]),
    "group_strength": (["0.01", "10"], ["0", "10.1"]),
}
NEEDS = {  # a setting that makes no sense alone, with what it needs beside it
    **{("group_objective", name): "group_attribute=age" for name in ("dro", "gap", "adversarial")},
    **{("group_objective", name): "group_attribute=age" for name in ("resampling", "reweighting")},
    ("group_attribute", "g" * 400): "group_objective=dro",
}
BOUNDS |= {
    (ranker, key): values
    for ranker, kind in SETTINGS.items()
    for parent, table in ((NeuralSettings, OF_EVERY_NEURAL_RANKER), (AttentionSettings, OF_ATTENTION))
    if issubclass(kind, parent)
    for key, values in table.items()
}
ALLOWED = [(*key, value) for key, (allowed, _) in BOUNDS.items() for value in allowed]
REFUSED = [(*key, value) for key, (_, refused) in BOUNDS.items() for value in refused]


def test_the_table_of_bounds_names_every_setting():
    settings = {(ranker, key) for ranker, kind in SETTINGS.items() for key in kind.model_fields}
    assert settings == set(BOUNDS)


@pytest.mark.parametrize(("ranker", "key", "value"), ALLOWED)
def test_a_value_on_its_bound_is_allowed(ranker: str, key: str, value: str):
    beside = [NEEDS[key, value]] if (key, value) in NEEDS else []
    kept = getattr(make_settings(ranker, changes=[f"{key}={value}", *beside]), key)
    assert str(kept).lower() == value.strip() or float(kept) == float(value)


@pytest.mark.parametrize(("ranker", "key", "value"), REFUSED)
def test_a_value_beyond_its_bound_is_refused_with_what_is_allowed(ranker: str, key: str, value: str):
    with pytest.raises(ConfigError) as refused:
        make_settings(ranker, changes=[f"{key}={value}"])
    assert str(refused.value) == f"{ranker}: {key} is {value}, but {bounds(SETTINGS[ranker], key)}"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            ["group_objective=dro"],
            "group_objective is dro and group_attribute is ''; training by groups needs",
        ),
        (["group_attribute=age"], "group_objective is none and group_attribute is 'age'; training by groups"),
        (
            ["group_objective=reweighting", "group_attribute=age", "group_strength=2"],
            "group_strength is 2; reweighting takes up to 1",
        ),
    ],
)
def test_settings_of_groups_that_do_not_fit_together(changes: list[str], sentence: str):
    with pytest.raises(ConfigError, match=sentence):
        make_settings("transformer", changes=changes)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("epochs", "it must be a whole number from 1 up to 1000"),
        ("dropout", "it must be a number from 0 below 1"),
        ("learning_rate", "it must be a number above 0 up to 1"),
        ("item_id", "it must be true or false"),
        ("precision", "it must be auto, fp32 or bf16"),
        ("encoder", "it must be a text of 1 or more and up to 400 characters"),
    ],
)
def test_bounds_in_words(key: str, words: str):
    assert bounds(TransformerSettings, key) == words


@pytest.mark.parametrize("value", ["ten", "1.5", "", "nan", "inf", "-inf", "1e400", "0x10", "9" * 30])
def test_a_value_that_is_no_whole_number_is_refused(value: str):
    with pytest.raises(ConfigError, match="it must be a whole number from 1 up to 1000"):
        make_settings("transformer", changes=[f"epochs={value}"])


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400", "a lot", ""])
@pytest.mark.parametrize(("ranker", "key"), [("transformer", "dropout"), ("ease", "l2")])
def test_a_value_that_is_no_finite_number_is_refused(ranker: str, key: str, value: str):
    with pytest.raises(ConfigError, match="it must be a number"):
        make_settings(ranker, changes=[f"{key}={value}"])


def test_all_problems_come_in_one_sentence():
    changes = ["epochs=0", "dropout=2", "colour=red", "nonsense", "batch_size=many"]
    with pytest.raises(ConfigError) as refused:
        make_settings("transformer", changes=changes)
    message = str(refused.value)
    assert message.startswith("transformer: ")
    assert "\n" not in message
    for part in (
        "'nonsense' is no setting; write key=value",
        "epochs is 0, but it must be a whole number from 1 up to 1000",
        "dropout is 2, but it must be a number from 0 below 1",
        "there is no setting 'colour' (settings are epochs, patience, ",
        "batch_size is many, but it must be a whole number from 1 up to 8192",
    ):
        assert part in message


def test_a_ranker_and_a_preset_that_do_not_exist_are_both_named():
    with pytest.raises(ConfigError, match=r"no ranker 'magic'; rankers are transformer, .*no preset 'slow'"):
        make_settings("magic", "slow")


def test_a_change_without_a_value_is_no_setting():
    with pytest.raises(ConfigError, match="'epochs' is no setting; write key=value"):
        make_settings("transformer", changes=["epochs"])


def test_popularity_has_nothing_to_set():
    with pytest.raises(ConfigError, match=r"no setting 'epochs' .*none: it has nothing to set"):
        make_settings("popularity", changes=["epochs=5"])


def test_heads_that_do_not_divide_the_embedding_contradict_it():
    with pytest.raises(ConfigError, match=r"embedding_size \(64\) must be divisible by n_heads \(5\)"):
        make_settings("transformer", changes=["n_heads=5"])


def test_an_item_with_neither_id_nor_text_contradicts_itself():
    with pytest.raises(ConfigError, match="its id or its text"):
        make_settings("transformer", changes=["encoder=none", "item_id=false"])


@pytest.mark.parametrize("encoder", ["none", "character-ngrams"])
def test_an_encoder_without_weights_cannot_be_tuned(encoder: str):
    with pytest.raises(ConfigError, match=f"fine_tune is lora, and encoder '{encoder}' has nothing to tune"):
        make_settings("transformer", changes=[f"encoder={encoder}", "fine_tune=lora"])


def test_all_contradictions_come_in_one_sentence():
    with pytest.raises(ConfigError, match=r"must be divisible .*; an item needs its id or its text"):
        make_settings("transformer", changes=["n_heads=5", "encoder=none", "item_id=false"])


def test_changes_go_on_top_of_the_preset_and_the_last_one_counts():
    settings = make_settings("transformer", "quick", ["max_length = 30", "dropout=0.1", "dropout=0.3"])
    assert isinstance(settings, TransformerSettings)
    preset = make_settings("transformer", "quick")
    assert isinstance(preset, TransformerSettings)
    assert (settings.max_length, settings.dropout) == (30, 0.3)
    assert settings.epochs == preset.epochs


def test_a_value_may_hold_an_equals_sign():
    settings = make_settings("transformer", changes=["encoder=/models/a=b"])
    assert isinstance(settings, TransformerSettings)
    assert settings.encoder == "/models/a=b"


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("ranker", SETTINGS)
def test_every_ranker_takes_every_preset_within_its_bounds(ranker: str, preset: str):
    settings = make_settings(ranker, preset)
    assert read_settings(ranker, settings.model_dump(mode="json")) == settings


def test_quick_is_less_work_than_balanced_and_best_is_more():
    quick, balanced, best = (make_settings("transformer", preset) for preset in PRESETS)
    assert isinstance(quick, TransformerSettings)
    assert isinstance(balanced, TransformerSettings)
    assert isinstance(best, TransformerSettings)
    assert quick.epochs < balanced.epochs < best.epochs
    assert quick.max_length < balanced.max_length < best.max_length


@pytest.mark.parametrize(
    ("ranker", "later"),
    [
        ("transformer", ["event_type", "strength", "time", "place", "reviews"]),
        ("fusion", ["reviews"]),
        ("hybrid", ["reviews"]),
    ],
)
def test_settings_that_were_kept_before_a_ranker_read_something_say_that_it_reads_none(
    ranker: str, later: list[str]
):
    now = make_settings(ranker).model_dump(mode="json")
    kept = {name: value for name, value in now.items() if name not in later}
    assert all(now[name] is True for name in later)
    assert read_settings(ranker, kept).model_dump(mode="json") == now | dict.fromkeys(later, False)


@pytest.mark.parametrize("ranker", ["transformer", "bert4rec", "lstm"])
def test_settings_that_were_kept_before_muon_say_adamw(ranker: str):
    now = make_settings(ranker).model_dump(mode="json")
    kept = {name: value for name, value in now.items() if name != "optimizer"}
    assert now["optimizer"] == "muon"
    assert read_settings(ranker, kept).model_dump(mode="json") == now | {"optimizer": "adamw"}


def test_kept_settings_of_an_unknown_ranker_are_refused():
    with pytest.raises(ConfigError, match="no ranker 'magic'"):
        read_settings("magic", {})


@pytest.mark.parametrize("values", [None, 5, ["epochs"]])
def test_kept_settings_that_are_no_table_are_refused(values: Any):
    with pytest.raises(ConfigError, match="transformer: "):
        read_settings("transformer", values)


def test_settings_are_frozen():
    settings = ItemKnnSettings()
    with pytest.raises(ValidationError, match="frozen"):
        typing.cast(Any, settings).n_neighbours = 5


def test_defaults_are_within_their_bounds():
    for kind in SETTINGS.values():
        assert kind.model_validate(kind().model_dump()) == kind()


def test_a_bound_just_above_zero_is_allowed():
    settings = make_settings("ease", changes=[f"l2={math.nextafter(0, 1)}"])
    assert isinstance(settings, EaseSettings)
    assert settings.l2 > 0


def test_the_environment_names_the_workspace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("RECLENS_HOME", str(tmp_path))
    monkeypatch.setenv("RECLENS_DATABASE_URL", "sqlite:///x.db")
    assert (Environment().home, Environment().database_url) == (tmp_path, "sqlite:///x.db")


def test_without_an_environment_the_workspace_is_in_the_home_folder(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("RECLENS_HOME", raising=False)
    monkeypatch.delenv("RECLENS_DATABASE_URL", raising=False)
    assert (Environment().home, Environment().database_url) == (Path.home() / ".reclens", None)
