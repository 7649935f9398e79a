"""What the settings of a T5 mean, and that those that can not be honoured are named."""

import pytest

from unified_io.backbones.t5_block import T5Config
from unified_io.convert import t5
from unified_io.errors import ConfigError

FLAN_XXL = {
    "model_type": "t5",
    "d_ff": 10240,
    "d_kv": 64,
    "d_model": 4096,
    "feed_forward_proj": "gated-gelu",
    "num_decoder_layers": 24,
    "num_heads": 64,
    "num_layers": 24,
    "tie_word_embeddings": False,
    "vocab_size": 32128,
}


def test_flan_t5_xxl():
    assert t5.config(FLAN_XXL, own_head=True) == T5Config()


def test_the_first_t5():
    settings = {"model_type": "t5", "num_layers": 6}
    config = t5.config(settings, own_head=False)
    assert (config.activation, config.gated, config.scale_logits) == ("relu", False, True)
    assert config.num_decoder_layers == 6


def test_newer_files_name_the_scale():
    settings = FLAN_XXL | {"tie_word_embeddings": True, "scale_decoder_outputs": False}
    assert not t5.config(settings, own_head=True).scale_logits


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "umt5"}, "model_type is 'umt5'"),
        ({"feed_forward_proj": "gated-swish"}, "feed_forward_proj is 'gated-swish'"),
        ({"feed_forward_proj": "half-relu"}, "feed_forward_proj is 'half-relu'"),
    ],
)
def test_what_is_not_built_is_named(change, message):
    with pytest.raises(ConfigError, match=message):
        t5.config(FLAN_XXL | change, own_head=True)


def test_the_table_reads_both_ways():
    for name in t5.shapes(T5Config(num_encoder_layers=2, num_decoder_layers=2)):
        theirs, _ = t5.TABLE.to_theirs(name)
        assert t5.TABLE.to_ours(theirs)[0] == name
