"""An artefact as a repository on the Hugging Face Hub, in one commit."""

from pathlib import Path
from typing import Any

from ..compat import load_huggingface_hub
from ..spec import KDBenchError
from .files import FROM_HUB, MANIFEST


class UploadError(KDBenchError):
    """The hub did not take an artefact, or holds another one."""


def upload(folder: Path, name: str | None, message: str) -> str:
    """Upload a folder to the model repository ``name`` (``owner/name``), made if it is not there; its address.

    Without a name it is the folder's, of the user whose token is set. A repository that holds anything else is an
    ``UploadError``, as is whatever the hub refuses. One that holds this artefact stays as it is.
    """
    hub = load_huggingface_hub()
    api = hub.HfApi()
    try:
        repository = name or f"{api.whoami()['name']}/{folder.name}"
        api.create_repo(repository, exist_ok=True)
        if not _is_there(api, repository, folder):
            api.upload_folder(repo_id=repository, folder_path=folder, commit_message=message)
    except (OSError, ValueError, hub.errors.HTTPError) as error:  # refused, named wrongly, or not reached
        raise UploadError(f"{name or folder.name} was not uploaded to {api.endpoint}: {error}") from error
    return f"{api.endpoint}/{repository}"


def _is_there(api: Any, repository: str, folder: Path) -> bool:
    """Whether the repository holds this artefact already; False if it holds nothing."""
    held = [name for name in api.list_repo_files(repository) if name.split("/")[0] not in FROM_HUB]
    if not held:
        return False
    if MANIFEST in held:
        there = Path(api.hf_hub_download(repository, MANIFEST))
        if there.read_bytes() == (folder / MANIFEST).read_bytes():
            return True
    raise UploadError(f"{repository} holds something else; give another name: --to hub:owner/name")
