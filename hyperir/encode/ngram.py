"""The n-gram network of SNRM: word embeddings, a convolution over windows of words, narrow layers, many latent terms.

Zamani et al., "From Neural Re-Ranking to Neural Ranking: Learning a Sparse Representation for Inverted Indexing", CIKM
2018. Written as transformers writes models, so that it is saved, loaded and trained as they are.
"""

from __future__ import annotations

from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, MaskedLMOutput

__all__ = ["NGramConfig", "NGramModel", "NGramTerms"]


class NGramConfig(PretrainedConfig):  # type: ignore[no-untyped-call]
    """Sizes of the network.

    Args:
        vocab_size: words.
        embedding_size: of a word.
        window: words that a position sees, itself in the middle; at the ends of a text there is nothing.
        hidden_sizes: of the layers between; the narrowest one makes the hour-glass.
        latent_size: terms that documents are indexed by.
        static: embeddings stay as they are.
        dropout: between layers, in training.
        max_position_embeddings: words of a text, at most.
    """

    model_type = "hyperir-ngram"
    vocab_size: int = 2
    embedding_size: int = 100
    window: int = 5
    hidden_sizes: list[int] | tuple[int, ...] = (300,)
    latent_size: int = 5000
    static: bool = False
    dropout: float = 0.0
    max_position_embeddings: int = 4096

    @property
    def hidden_size(self) -> int:
        """H, of a position's state."""
        return self.hidden_sizes[-1]


class NGramModel(PreTrainedModel):  # type: ignore[no-untyped-call]
    """Words to a state of the window around each of them; no biases, ReLU after every layer."""

    config_class = NGramConfig
    base_model_prefix = "ngram"

    def __init__(self, config: NGramConfig) -> None:
        super().__init__(config)
        first, *others = config.hidden_sizes
        self.words = nn.Embedding(config.vocab_size, config.embedding_size)
        self.words.weight.requires_grad_(not config.static)
        self.windows = nn.Conv1d(config.embedding_size, first, config.window, padding="same", bias=False)
        sizes = zip([first, *others], others, strict=False)
        self.layers = nn.ModuleList(nn.Linear(wide, narrow, bias=False) for wide, narrow in sizes)
        self.dropout = nn.Dropout(config.dropout)
        self.post_init()  # type: ignore[no-untyped-call]

    def get_input_embeddings(self) -> nn.Module:
        return self.words

    def _init_weights(self, module: nn.Module) -> None:
        _init(module)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
    ) -> BaseModelOutput:
        """(B, T) words, or their (B, T, E) embeddings; (B, T) mask or None -> states (B, T, H)."""
        found = self.words(input_ids) if inputs_embeds is None else inputs_embeds
        if attention_mask is not None:  # padding is nothing, as beyond the ends of a text
            found = found * attention_mask[..., None].to(found.dtype)
        states = self.dropout(self.windows(found.transpose(1, 2)).relu()).transpose(1, 2)
        for layer in self.layers:
            states = self.dropout(layer(states).relu())
        return BaseModelOutput(last_hidden_state=states)


class NGramTerms(PreTrainedModel):  # type: ignore[no-untyped-call]
    """States to logits over latent terms."""

    config_class = NGramConfig
    base_model_prefix = "ngram"

    def __init__(self, config: NGramConfig) -> None:
        super().__init__(config)
        self.ngram = NGramModel(config)
        self.latent = nn.Linear(config.hidden_size, config.latent_size, bias=False)
        self.post_init()  # type: ignore[no-untyped-call]

    def get_output_embeddings(self) -> nn.Module:
        return self.latent

    def _init_weights(self, module: nn.Module) -> None:
        _init(module)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
    ) -> MaskedLMOutput:
        """As of :class:`NGramModel` -> logits (B, T, V)."""
        states = self.ngram(input_ids=input_ids, attention_mask=attention_mask, inputs_embeds=inputs_embeds)
        return MaskedLMOutput(logits=self.latent(states.last_hidden_state))


def _init(module: nn.Module) -> None:
    if isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=module.embedding_dim**-0.5)
    elif isinstance(module, nn.Conv1d | nn.Linear):
        nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")


AutoConfig.register(NGramConfig.model_type, NGramConfig, exist_ok=True)
AutoModel.register(NGramConfig, NGramModel, exist_ok=True)
AutoModelForMaskedLM.register(NGramConfig, NGramTerms, exist_ok=True)
