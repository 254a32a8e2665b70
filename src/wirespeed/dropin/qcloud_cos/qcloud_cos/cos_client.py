"""The client: where a program begins."""

from __future__ import annotations

from typing import Any

from .cos_config import CosConfig
from .cos_cred import CredInfo
from .cos_op import FileOp, FolderOp
from .cos_request import (
    CreateFolderRequest,
    DelFileRequest,
    DelFolderRequest,
    DownloadFileRequest,
    DownloadObjectRequest,
    ListFolderRequest,
    MoveFileRequest,
    StatFileRequest,
    StatFolderRequest,
    UpdateFileRequest,
    UpdateFolderRequest,
    UploadFileFromBufferRequest,
    UploadFileRequest,
    UploadSliceFileFromBufferRequest,
    UploadSliceFileRequest,
)


class CosClient:
    """Speaks to COS; threads may share it. Every method but `download_object` returns a dict."""

    def __init__(
        self, appid: int, secret_id: str, secret_key: str, region: str = "shanghai"
    ) -> None:
        self._cred = CredInfo(appid, secret_id, secret_key)
        self._config = CosConfig(region=region)
        self._file_op = FileOp(self._cred, self._config)
        self._folder_op = FolderOp(self._cred, self._config)

    def set_config(self, config: CosConfig) -> None:
        """Set hosts and times."""
        assert isinstance(config, CosConfig)
        self._config = config
        self._file_op.set_config(config)
        self._folder_op.set_config(config)

    def get_config(self) -> CosConfig:
        """Return hosts and times."""
        return self._config

    def set_cred(self, cred: CredInfo) -> None:
        """Set the key pair."""
        assert isinstance(cred, CredInfo)
        self._cred = cred
        self._file_op.set_cred(cred)
        self._folder_op.set_cred(cred)

    def get_cred(self) -> CredInfo:
        """Return the key pair."""
        return self._cred

    def upload_file(self, request: UploadFileRequest) -> Any:
        """Upload a file: in one request below 8 MiB, else by slices."""
        return self._file_op.upload_file(request)

    def upload_single_file(self, request: UploadFileRequest) -> Any:
        """Upload a file of at most 20 MiB in one request."""
        return self._file_op.upload_single_file(request)

    def upload_slice_file(self, request: UploadSliceFileRequest) -> Any:
        """Upload a file by slices."""
        return self._file_op.upload_slice_file(request)

    def upload_file_from_buffer(self, request: UploadFileFromBufferRequest) -> Any:
        """Upload bytes: in one request below 8 MiB, else by slices."""
        return self._file_op.upload_file_from_buffer(request)

    def upload_single_file_from_buffer(self, request: UploadFileFromBufferRequest) -> Any:
        """Upload at most 20 MiB in one request."""
        return self._file_op.upload_single_file_from_buffer(request)

    def upload_slice_file_from_buffer(self, request: UploadSliceFileFromBufferRequest) -> Any:
        """Upload bytes by slices."""
        return self._file_op.upload_slice_file_from_buffer(request)

    def del_file(self, request: DelFileRequest) -> Any:
        """Delete a file."""
        return self._file_op.del_file(request)

    def move_file(self, request: MoveFileRequest) -> Any:
        """Move a file within its bucket."""
        return self._file_op.move_file(request)

    def stat_file(self, request: StatFileRequest) -> Any:
        """Ask for a file's attributes."""
        return self._file_op.stat_file(request)

    def update_file(self, request: UpdateFileRequest) -> Any:
        """Change what the service keeps beside a file."""
        return self._file_op.update_file(request)

    def download_file(self, request: DownloadFileRequest) -> Any:
        """Download a file into one here; `code` is 0 or 1."""
        return self._file_op.download_file(request)

    def download_object(self, request: DownloadObjectRequest) -> Any:
        """Return the stream of a download; IOError where the service said no."""
        return self._file_op.download_object(request)

    def create_folder(self, request: CreateFolderRequest) -> Any:
        """Create a folder."""
        return self._folder_op.create_folder(request)

    def del_folder(self, request: DelFolderRequest) -> Any:
        """Delete an empty folder."""
        return self._folder_op.del_folder(request)

    def stat_folder(self, request: StatFolderRequest) -> Any:
        """Ask for a folder's attributes."""
        return self._folder_op.stat_folder(request)

    def update_folder(self, request: UpdateFolderRequest) -> Any:
        """Change a folder's text."""
        return self._folder_op.update_folder(request)

    def list_folder(self, request: ListFolderRequest) -> Any:
        """List a folder."""
        return self._folder_op.list_folder(request)
