"""The names of cos-python-sdk-v4, over wirespeed."""

import logging

from .cos_auth import Auth
from .cos_client import CosClient
from .cos_config import CosConfig
from .cos_cred import CredInfo
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

__all__ = [
    "Auth",
    "CosClient",
    "CosConfig",
    "CreateFolderRequest",
    "CredInfo",
    "DelFileRequest",
    "DelFolderRequest",
    "DownloadFileRequest",
    "DownloadObjectRequest",
    "ListFolderRequest",
    "MoveFileRequest",
    "StatFileRequest",
    "StatFolderRequest",
    "UpdateFileRequest",
    "UpdateFolderRequest",
    "UploadFileFromBufferRequest",
    "UploadFileRequest",
    "UploadSliceFileFromBufferRequest",
    "UploadSliceFileRequest",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())
