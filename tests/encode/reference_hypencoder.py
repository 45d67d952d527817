"""The official Hypencoder, once more from its equations: explicit loops in float64, no code shared with HyperIR.

Also writes random checkpoints in the authors' format.
"""

import json
import math
from itertools import pairwise

import torch
from safetensors.torch import save_file
from tiny_models import make_bert, write_tokenizer

WIDTH = 128


def make_checkpoint(
    folder,
    *,
    hidden=(32, 32),
    shared=True,
    tied_keys="absent",
    pickle=False,
    pooling="cls",
    representation=None,
    base="",
    make_transformer=make_bert,
    seed=0,
    tokenizer=True,
    **converter,
):
    """A random checkpoint folder; returns (config, state dict, query transformer, passage transformer)."""
    dimensions = [WIDTH, *hidden, 1]
    query, passage = make_transformer(seed), make_transformer(seed if shared else seed + 1)
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape, std=0.1):
        return torch.randn(*shape, generator=generator) * std

    state = {f"query_encoder.transformer.{name}": tensor for name, tensor in query.state_dict().items()}
    if not shared or tied_keys == "present":
        state |= {f"passage_encoder.transformer.{name}": t.clone() for name, t in passage.state_dict().items()}
    if tied_keys == "only passage":
        state = {name.replace("query_encoder", "passage_encoder"): tensor for name, tensor in state.items()}
    weights = list(pairwise(dimensions))  # (in, out)
    biases = [(width, 1) for width in dimensions[1:-1]]
    for kind, vectors, shapes in (("weight", "matrices", weights), ("bias", "vectors", biases)):
        for i, (columns, rows) in enumerate(shapes):
            base_shape = (1, rows, columns) if kind == "weight" else (rows, columns)
            state[f"query_encoder.hyper_base_{vectors}.{i}"] = draw(*base_shape, std=math.sqrt(2 / columns))
            state[f"query_encoder.{kind}_query_embeddings.{i}"] = draw(1, rows, columns, std=1.0)
            state[f"query_encoder.{kind}_hyper_projection.{i}.weight"] = draw(columns, columns)
            state[f"query_encoder.{kind}_hyper_projection.{i}.bias"] = draw(columns)
    for j, (columns, _) in enumerate(weights + biases):
        for kind in ("key", "value"):
            state[f"query_encoder.{kind}_projections.{j}.weight"] = draw(columns, WIDTH)
            state[f"query_encoder.{kind}_projections.{j}.bias"] = draw(columns)
    config = {
        "architectures": ["HypencoderDualEncoder"],
        "query_encoder_type": "hypencoder",
        "passage_encoder_type": "text_encoder",
        "query_encoder_kwargs": {
            "model_name_or_path": base,
            "freeze_transformer": False,
            "embedding_representation": representation,
            "base_encoder_output_dim": WIDTH,
            "converter_kwargs": {"vector_dimensions": dimensions, **converter},
        },
        "passage_encoder_kwargs": {"model_name_or_path": base, "pooling_type": pooling, "freeze_transformer": False},
        "loss_type": ["margin_mse", "cross_entropy"],
        "loss_kwargs": [{}, {}],
        "shared_encoder": shared,
        "torch_dtype": "float32",
        "transformers_version": "4.49.0",
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    if pickle:
        torch.save(state, folder / "pytorch_model.bin")
    else:
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / "model.safetensors")
    if tokenizer:
        write_tokenizer(folder)
    return config, state, query, passage


def pad(ids):
    longest = max(len(one) for one in ids)
    filled = torch.tensor([one + [0] * (longest - len(one)) for one in ids])
    return filled, torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in ids])


def hidden_states(transformer, ids):
    filled, mask = pad(ids)
    with torch.no_grad():
        return transformer(input_ids=filled, attention_mask=mask).last_hidden_state.double(), mask


def document_vectors(transformer, ids, pooling):
    states, mask = hidden_states(transformer, ids)
    if pooling == "cls":
        return states[:, 0]
    return torch.stack([states[b].sum(0) / mask[b].sum() for b in range(len(ids))])  # padding is summed too


def layer_norm(vector):
    centred = vector - vector.mean()
    return centred / torch.sqrt(centred.square().mean() + 1e-5)


def linear(state, name, vector):
    return state[name + ".weight"].double() @ vector + state[name + ".bias"].double()


def written_rows(state, tokens, kind, i, projection, row_queries, scale):
    """The rows of one slot: attention over the real tokens, ReLU, layer norm, projection."""
    keys = [linear(state, f"query_encoder.key_projections.{projection}", token) for token in tokens]
    values = [linear(state, f"query_encoder.value_projections.{projection}", token) for token in tokens]
    return torch.stack([written_row(state, keys, values, kind, i, row_query, scale) for row_query in row_queries])


def written_row(state, keys, values, kind, i, row_query, scale):
    logits = [float(row_query @ key) / scale for key in keys]
    weights = [math.exp(logit - max(logits)) for logit in logits]
    attended = sum(weight / sum(weights) * value for weight, value in zip(weights, values, strict=True))
    return linear(state, f"query_encoder.{kind}_hyper_projection.{i}", layer_norm(attended.clamp_min(0)))


def write_network(config, state, tokens):
    """Matrices (out, in) and biases (out,) of one query's q-net, from its real tokens (T, H)."""
    dimensions = config["query_encoder_kwargs"]["converter_kwargs"]["vector_dimensions"]
    layers = len(dimensions) - 1
    matrices, biases = [], []
    for i in range(layers):
        queries, base = (
            state[f"query_encoder.{name}.{i}"][0].double()
            for name in ("weight_query_embeddings", "hyper_base_matrices")
        )
        matrices.append(written_rows(state, tokens, "weight", i, i, queries, math.sqrt(dimensions[i + 1])) + base)
    for i in range(layers - 1):
        query = state[f"query_encoder.bias_query_embeddings.{i}"][0].double()
        base = state[f"query_encoder.hyper_base_vectors.{i}"][0].double()
        biases.append(written_rows(state, tokens, "bias", i, layers + i, query, 1.0)[0] + base)
    return matrices, biases


ACTIVATIONS = {
    "relu": lambda x: max(x, 0.0),
    "leaky_relu": lambda x: x if x > 0 else 0.01 * x,
    "tanh": math.tanh,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
}


def score(config, matrices, biases, document):
    """One document under one query's q-net."""
    converter = config["query_encoder_kwargs"]["converter_kwargs"]
    activation = ACTIVATIONS[converter.get("activation_type", "relu")]
    norm, before = converter.get("do_layer_norm", True), converter.get("layer_norm_before_residual", True)
    residual, on_last = converter.get("do_residual", True), converter.get("do_residual_on_last", False)
    if on_last is None:
        on_last = residual
    x = document
    for i, (matrix, bias) in enumerate(zip(matrices, biases, strict=False)):
        y = torch.tensor([activation(float(v)) for v in matrix @ x + bias], dtype=torch.float64)
        if norm and before:
            y = layer_norm(y)
        if residual and (i < len(biases) - 1 or on_last):
            y = y + x
        if norm and not before:
            y = layer_norm(y)
        x = y
    return float(matrices[-1][0] @ x)


def scores(config, state, query_transformer, passage_transformer, query_ids, passage_ids):
    """(Q, N) scores of the checkpoint, every batch padded to its longest text."""
    pooling = config["passage_encoder_kwargs"]["pooling_type"]
    documents = document_vectors(passage_transformer, passage_ids, pooling)
    if not any(name.startswith("query_encoder.transformer") for name in state):
        query_transformer = passage_transformer
    tokens, mask = hidden_states(query_transformer, query_ids)
    rows = []
    for q in range(len(query_ids)):
        network = write_network(config, state, tokens[q][mask[q].bool()])
        rows.append([score(config, *network, document) for document in documents])
    return torch.tensor(rows, dtype=torch.float64)
