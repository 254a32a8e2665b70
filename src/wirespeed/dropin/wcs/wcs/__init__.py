"""The names of wcs-python-sdk 2.0.11, over wirespeed."""

from .commons.auth import Auth
from .commons.compat import urlparse
from .commons.http import _get, _post
from .commons.util import etag, file_to_stream, readfile
from .services.filemanager import BucketManager
from .services.persistentfop import PersistentFop
from .services.regupload import RegUpload
from .services.sliceupload import SliceUpload
from .services.uploadprogressrecorder import UploadProgressRecorder

__version__ = "2.0.11"

__all__ = [
    "Auth",
    "BucketManager",
    "PersistentFop",
    "RegUpload",
    "SliceUpload",
    "UploadProgressRecorder",
    "_get",
    "_post",
    "etag",
    "file_to_stream",
    "readfile",
    "urlparse",
]
