"""What the settings of an InstructBLIP mean, and what another Q-Former starts from."""

import pytest

from unified_io.connectors.qformer import QFormerConfig
from unified_io.convert import qformer
from unified_io.errors import ConfigError

SETTINGS = {
    "num_query_tokens": 32,
    "qformer_config": {"vocab_size": 30523, "hidden_act": "gelu"},
    "vision_config": {"hidden_size": 1408, "layer_norm_eps": 1e-6},
    "text_config": {"hidden_size": 4096},
}


def test_the_released_one():
    assert qformer.config(SETTINGS) == QFormerConfig(out_width=4096, token_epsilon=1e-6)
    of_t5 = qformer.config(SETTINGS | {"text_config": {"d_model": 2048}})
    assert of_t5.out_width == 2048


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"qformer_config": {"position_embedding_type": "relative_key"}}, "position_embedding_type is 'rel"),
        ({"qformer_config": {"attention_probs_dropout_prob": 0.3}}, "attention_probs_dropout_prob is 0.3"),
        ({"text_config": {}}, "neither hidden_size nor d_model"),
    ],
)
def test_what_is_not_built_is_named(change, message):
    with pytest.raises(ConfigError, match=message):
        qformer.config(SETTINGS | change)


def test_another_model_is_named():
    with pytest.raises(ConfigError, match="no qformer_config, text_config in this config.json"):
        qformer.config({"vision_config": {}})


def test_the_table_reads_both_ways():
    for name in qformer.shapes(QFormerConfig(out_width=4096), 1408):
        theirs, _ = qformer.TABLE.to_theirs(name)
        assert qformer.TABLE.to_ours(theirs)[0] == name
