"""A Whisper of two megabytes that always says its script: made in the format of CTranslate2, without any training.

Positions of its decoder are orthogonal vectors, and each row of its output is the vector of the position at which that
token is wanted; its cross attention puts token k, the three of the prompt counted, on the frame k * STRIDE of 20 ms:
word times can be foretold.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, HEADS, STRIDE = 64, 2, 15
SIZES = {"feature_size": 80, "sampling_rate": 16000, "hop_length": 160, "chunk_length": 30, "n_fft": 400}


def build_whisper(folder: Path, script: str, language: str, *, seconds: float = 2.0) -> Path:
    """`script` has at most 50 tokens, a word being one, and begins with a space."""
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    folder.mkdir(parents=True)
    languages = [code for code in _LANGUAGE_CODES if code != "yue"]
    tokenizer, names = _tokenizer(script, languages)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "preprocessor_config.json").write_text(json.dumps(SIZES))
    number = tokenizer.token_to_id
    said = tokenizer.encode(script, add_special_tokens=False).ids
    spec = _scripted(
        len(names),
        [*said, number(f"<|{seconds:.2f}|>"), number("<|endoftext|>")],
        number(f"<|{language}|>"),
        number("<|0.00|>"),
    )
    spec.config.lang_ids = [number(f"<|{code}|>") for code in languages]
    spec.register_vocabulary(names)
    spec.validate()
    spec.optimize(quantization=None)
    spec.save(str(folder))
    return folder


def _alphabet() -> dict[int, str]:
    """The letters in which byte-level tokenizers write bytes."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {byte: chr(byte) for byte in shown} | {byte: chr(256 + number) for number, byte in enumerate(hidden)}


def _tokenizer(script: str, languages: list[str]) -> tuple[Any, list[str]]:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    letters = _alphabet()
    vocabulary = {character: number for number, character in enumerate(letters.values())}
    merges: list[tuple[str, str]] = []
    for word in script.split():
        first, *rest = (letters[byte] for byte in f" {word}".encode())
        for letter in rest:
            if (first, letter) not in merges:
                merges.append((first, letter))
            first += letter
            vocabulary.setdefault(first, len(vocabulary))
    # CTranslate2 takes a model for a multilingual one when its vocabulary has an empty token.
    vocabulary[""] = len(vocabulary)
    special = [
        "<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in languages), "<|translate|>",
        "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
        *(f"<|{step * 0.02:.2f}|>" for step in range(1501)),
    ]  # fmt: skip
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in special])
    names = [""] * tokenizer.get_vocab_size()
    for name, number in tokenizer.get_vocab().items():
        names[number] = name
    return tokenizer, names


def _scripted(tokens: int, emitted: list[int], language: int, begin: int) -> Any:
    """The model; the prompt has three tokens: the start, from which the language is told, the language, the task."""
    from ctranslate2.specs import whisper_spec

    directions, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((WIDTH, WIDTH)))
    directions -= directions.mean(1, keepdims=True)
    places = _zeros(448, WIDTH)
    places[:] = directions[-1] * 4
    places[:WIDTH] = directions * 4
    output = _zeros(tokens, WIDTH)
    output[language], output[begin] = _levelled(places[0]), _levelled(places[2])
    for offset, token in enumerate(emitted):
        output[token] += _levelled(places[3 + offset])
    spec = whisper_spec.WhisperSpec(1, HEADS, 1, HEADS)
    _fill(spec, places, output, directions)
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
    spec.config.alignment_heads = [[0, head] for head in range(HEADS)]
    return spec


def _fill(spec: Any, places: Any, output: Any, directions: Any) -> None:
    encoder, decoder = spec.encoder, spec.decoder
    for layer, width in ((encoder.conv1, 80), (encoder.conv2, WIDTH)):
        layer.weight, layer.bias = _zeros(WIDTH, width, 3), _zeros(WIDTH)
    frames = [directions[min(frame // STRIDE, WIDTH - 1)] * 4 for frame in range(1500)]
    encoder.position_encodings.encodings = np.array(frames, np.float32)
    decoder.embeddings.weight = _zeros(len(output), WIDTH)
    decoder.position_encodings.encodings = places
    decoder.projection.weight = output
    for side in (encoder, decoder):
        _norm(side.layer_norm)
        for layer in side.layer:
            _norm(layer.self_attention.layer_norm)
            _linear(layer.self_attention.linear[0], 3 * WIDTH, WIDTH)
            _linear(layer.self_attention.linear[1], WIDTH, WIDTH)
            _norm(layer.ffn.layer_norm)
            _linear(layer.ffn.linear_0, 4 * WIDTH, WIDTH)
            _linear(layer.ffn.linear_1, WIDTH, 4 * WIDTH)
    same = np.eye(WIDTH, dtype=np.float32)
    for layer in decoder.layer:
        _norm(layer.attention.layer_norm)
        _linear(layer.attention.linear[0], WIDTH, WIDTH, same * 2)
        _linear(layer.attention.linear[1], 2 * WIDTH, WIDTH, np.concatenate([same, 0 * same]))
        _linear(layer.attention.linear[2], WIDTH, WIDTH)


def _zeros(*shape: int) -> Any:
    return np.zeros(shape, np.float32)


def _levelled(row: Any) -> Any:
    return (row - row.mean(-1, keepdims=True)) / (row.std(-1, keepdims=True) + 1e-5)


def _norm(layer: Any) -> None:
    layer.gamma, layer.beta = np.ones(WIDTH, np.float32), _zeros(WIDTH)


def _linear(layer: Any, rows: int, columns: int, weight: Any = None) -> None:
    layer.weight = _zeros(rows, columns) if weight is None else weight.astype(np.float32)
    layer.bias = _zeros(rows)
