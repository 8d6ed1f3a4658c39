"""Makes a checkpoint of bart-base's shape with seeded random weights: for
timing only, what it answers means nothing.

usage: random_bart.py FOLDER
Its tokenizer is models/corrector's, which knows fewer words than the model.
"""
import pathlib
import shutil
import sys

import torch
import transformers

CORRECTOR = pathlib.Path(__file__).resolve().parents[2] / "models/corrector"
TOKENIZER = ["tokenizer.json", "tokenizer_config.json", "vocab.json",
             "merges.txt"]


def make(folder):
    torch.manual_seed(7)
    # The defaults of BartConfig are bart-large's.
    config = transformers.BartConfig(
        d_model=768, encoder_layers=6, decoder_layers=6,
        encoder_attention_heads=12, decoder_attention_heads=12,
        encoder_ffn_dim=3072, decoder_ffn_dim=3072, forced_eos_token_id=None)
    model = transformers.BartForConditionalGeneration(config)
    model.to(torch.bfloat16).save_pretrained(folder)
    for name in TOKENIZER:
        shutil.copy(CORRECTOR / name, folder)


if __name__ == "__main__":
    make(pathlib.Path(sys.argv[1]))
