"""What is asked of a client: a class for each request."""

from __future__ import annotations

from typing import Any

from .cos_params_check import ParamCheck

_MIB = 1024 * 1024


class BaseRequest:
    """A request on one path of a bucket."""

    def __init__(self, bucket_name: str, cos_path: str) -> None:
        self._bucket_name = bucket_name.strip()
        self._cos_path = cos_path.strip()
        self._param_check = ParamCheck()

    def set_bucket_name(self, bucket_name: str = "") -> None:
        """Set the bucket."""
        self._bucket_name = bucket_name.strip()

    def get_bucket_name(self) -> str:
        """Return the bucket."""
        return self._bucket_name

    def set_cos_path(self, cos_path: str = "") -> None:
        """Set the path."""
        self._cos_path = cos_path.strip()

    def get_cos_path(self) -> str:
        """Return the path."""
        return self._cos_path

    def get_err_tips(self) -> str:
        """Return why the last check failed."""
        return self._param_check.get_err_tips()

    def check_params_valid(self) -> bool:
        """Whether the arguments are right."""
        check = self._param_check
        return check.check_param_unicode("bucket", self._bucket_name) and (
            check.check_param_unicode("cos_path", self._cos_path)
        )

    def _check_path(self, *, is_file: bool) -> bool:
        return self._param_check.check_cos_path_valid(self._cos_path, is_file)

    def _check_text(self, name: str, value: Any) -> bool:
        return self._param_check.check_param_unicode(name, value)


class _AttributeRequest(BaseRequest):
    def __init__(self, bucket_name: str, cos_path: str, biz_attr: str = "") -> None:
        super().__init__(bucket_name, cos_path)
        self._biz_attr = biz_attr

    def set_biz_attr(self, biz_attr: str) -> None:
        """Set the text of a file or a folder."""
        self._biz_attr = biz_attr

    def get_biz_attr(self) -> str:
        """Return the text of a file or a folder."""
        return self._biz_attr


class CreateFolderRequest(_AttributeRequest):
    """Create a folder."""

    def check_params_valid(self) -> bool:
        """Whether the arguments are right."""
        return (
            super().check_params_valid()
            and self._check_text("biz_attr", self._biz_attr)
            and self._check_path(is_file=False)
            and self._param_check.check_not_cos_root(self._cos_path)
        )


class UpdateFolderRequest(_AttributeRequest):
    """Change a folder's text."""

    def check_params_valid(self) -> bool:
        """Whether the arguments are right."""
        return (
            super().check_params_valid()
            and self._check_path(is_file=False)
            and self._param_check.check_not_cos_root(self._cos_path)
            and self._check_text("biz_attr", self._biz_attr)
        )


class _UploadRequest(_AttributeRequest):
    def __init__(
        self, bucket_name: str, cos_path: str, biz_attr: str, insert_only: int, verify_sha1: bool
    ) -> None:
        super().__init__(bucket_name, cos_path, biz_attr)
        self._insert_only = insert_only
        self._verify_sha1 = verify_sha1

    def set_insert_only(self, insert_only: int) -> None:
        """1: a file of that path is an error; 0: it is replaced."""
        self._insert_only = insert_only

    def get_insert_only(self) -> int:
        """Return what `set_insert_only` set."""
        return self._insert_only

    def set_verify_sha1(self, verify_sha1: bool) -> None:
        """Set whether a slice upload tells the slices' digests."""
        self._verify_sha1 = verify_sha1

    def get_verify_sha1(self) -> bool:
        """Return what `set_verify_sha1` set."""
        return self._verify_sha1

    def _check_attributes(self) -> bool:
        return self._check_path(is_file=True) and self._check_text("biz_attr", self._biz_attr)

    def _check_insert_only(self) -> bool:
        check = self._param_check
        return check.check_param_int("insert_only", self._insert_only) and (
            check.check_insert_only(self._insert_only)
        )


class UploadFileRequest(_UploadRequest):
    """Upload a file."""

    def __init__(
        self,
        bucket_name: str,
        cos_path: str,
        local_path: str,
        biz_attr: str = "",
        insert_only: int = 1,
        verify_sha1: bool = False,
    ) -> None:
        super().__init__(bucket_name, cos_path, biz_attr, insert_only, verify_sha1)
        self._local_path = local_path.strip()

    def set_local_path(self, local_path: str) -> None:
        """Set the file."""
        self._local_path = local_path.strip()

    def get_local_path(self) -> str:
        """Return the file."""
        return self._local_path

    def check_params_valid(self) -> bool:
        """Whether the arguments are right."""
        return (
            super().check_params_valid()
            and self._check_attributes()
            and self._check_text("local_path", self._local_path)
            and self._param_check.check_local_file_valid(self._local_path)
            and self._check_insert_only()
        )


class UploadFileFromBufferRequest(_UploadRequest):
    """Upload bytes."""

    def __init__(
        self,
        bucket_name: str,
        cos_path: str,
        data: Any,
        biz_attr: str = "",
        insert_only: int = 1,
        verify_sha1: bool = False,
    ) -> None:
        super().__init__(bucket_name, cos_path, biz_attr, insert_only, verify_sha1)
        self._data = data

    def set_data(self, data: Any) -> None:
        """Set the bytes."""
        self._data = data

    def get_data(self) -> Any:
        """Return the bytes."""
        return self._data

    def check_params_valid(self) -> bool:
        """Whether the arguments are right."""
        return (
            super().check_params_valid() and self._check_attributes() and self._check_insert_only()
        )


class _Slices(BaseRequest):
    _slice_size: int
    _enable_sha1: bool

    @property
    def enable_sha1(self) -> bool:
        """Whether the slices' digests are told first; slices then have 1 MiB."""
        return self._enable_sha1

    @enable_sha1.setter
    def enable_sha1(self, val: bool) -> None:
        if val not in (True, False):
            raise ValueError("enable_sha1 should be True/False")
        self._enable_sha1 = val

    def set_slice_size(self, slice_size: int) -> None:
        """Set the bytes of a slice."""
        self._slice_size = slice_size

    def get_slice_size(self) -> int:
        """Return the bytes of a slice."""
        return self._slice_size

    def _check_slices(self) -> bool:
        if self._enable_sha1 and self._slice_size != _MIB:
            self._param_check._err_tips = (
                "slice_size is invalid, slice must be 1MB with enable_sha1"
            )
            return False
        return self._param_check.check_slice_size(self._slice_size)


class UploadSliceFileRequest(_Slices, UploadFileRequest):
    """Upload a file by slices, `max_con` at a time."""

    def __init__(
        self,
        bucket_name: str,
        cos_path: str,
        local_path: str,
        slice_size: int = _MIB,
        biz_attr: str = "",
        enable_sha1: bool = False,
        max_con: int = 1,
        insert_only: int = 1,
    ) -> None:
        UploadFileRequest.__init__(self, bucket_name, cos_path, local_path, biz_attr, insert_only)
        self._slice_size = slice_size
        self._enable_sha1 = enable_sha1
        self._max_con = max_con

    def check_params_valid(self) -> bool:
        """Whether the arguments are right."""
        return UploadFileRequest.check_params_valid(self) and self._check_slices()


class UploadSliceFileFromBufferRequest(_Slices, UploadFileFromBufferRequest):
    """Upload bytes by slices, `max_con` at a time."""

    def __init__(
        self,
        bucket_name: str,
        cos_path: str,
        data: Any,
        slice_size: int = _MIB,
        biz_attr: str = "",
        enable_sha1: bool = False,
        max_con: int = 1,
        insert_only: int = 1,
    ) -> None:
        UploadFileFromBufferRequest.__init__(
            self, bucket_name, cos_path, data, biz_attr, insert_only
        )
        self._slice_size = slice_size
        self._enable_sha1 = enable_sha1
        self._max_con = max_con

    def check_params_valid(self) -> bool:
        """Whether the arguments are right."""
        return UploadFileFromBufferRequest.check_params_valid(self) and self._check_slices()


class UpdateFileRequest(BaseRequest):
    """Change what the service keeps beside a file; what is not set stays."""

    def __init__(self, bucket_name: str, cos_path: str) -> None:
        super().__init__(bucket_name, cos_path)
        self._biz_attr: str | None = None
        self._authority: str | None = None
        self._custom_headers: dict[str, str] = {}
        self._cache_control: str | None = None
        self._content_type: str | None = None
        self._content_disposition: str | None = None
        self._content_language: str | None = None
        self._content_encoding: str | None = None
        self._x_cos_meta_dict: dict[str, str] = {}

    def set_biz_attr(self, biz_attr: str) -> None:
        """Set the file's text."""
        self._biz_attr = biz_attr

    def get_biz_attr(self) -> str | None:
        """Return the file's text, None where it stays."""
        return self._biz_attr

    def set_authority(self, authority: str) -> None:
        """Set who may read: eInvalid (as the bucket says), eWRPrivate or eWPrivateRPublic."""
        self._authority = authority

    def get_authority(self) -> str | None:
        """Return who may read, None where it stays."""
        return self._authority

    def set_cache_control(self, cache_control: str) -> None:
        """Set the Cache-Control of downloads."""
        self._cache_control = self._custom_headers["Cache-Control"] = cache_control

    def set_content_type(self, content_type: str) -> None:
        """Set the Content-Type of downloads."""
        self._content_type = self._custom_headers["Content-Type"] = content_type

    def set_content_disposition(self, content_disposition: str) -> None:
        """Set the Content-Disposition of downloads."""
        self._content_disposition = content_disposition
        self._custom_headers["Content-Disposition"] = content_disposition

    def set_content_language(self, content_language: str) -> None:
        """Set the Content-Language of downloads."""
        self._content_language = self._custom_headers["Content-Language"] = content_language

    def set_content_encoding(self, content_encoding: str) -> None:
        """Set the Content-Encoding of downloads."""
        self._content_encoding = self._custom_headers["Content-Encoding"] = content_encoding

    def set_x_cos_meta(self, key: str, value: str) -> None:
        """Set a header of the user's own, whose name begins with x-cos-meta-."""
        self._x_cos_meta_dict[key] = self._custom_headers[key] = value

    def get_custom_headers(self) -> dict[str, str]:
        """Return all headers that were set."""
        return dict(self._custom_headers)

    def check_params_valid(self) -> bool:
        """Whether the arguments are right."""
        if not (super().check_params_valid() and self._check_path(is_file=True)):
            return False
        for name in (
            "biz_attr",
            "authority",
            "cache_control",
            "content_type",
            "content_disposition",
            "content_language",
            "content_encoding",
        ):
            value = getattr(self, f"_{name}")
            if value is not None and not self._check_text(name, value):
                return False
        check = self._param_check
        return (
            self._authority is None or check.check_file_authority(self._authority)
        ) and check.check_x_cos_meta_dict(self._x_cos_meta_dict)


class StatFileRequest(BaseRequest):
    """Ask for a file's attributes."""

    def check_params_valid(self) -> bool:
        """Whether the arguments are right."""
        return super().check_params_valid() and self._check_path(is_file=True)


class StatFolderRequest(BaseRequest):
    """Ask for a folder's attributes."""

    def check_params_valid(self) -> bool:
        """Whether the arguments are right."""
        return super().check_params_valid() and self._check_path(is_file=False)


class DelFileRequest(BaseRequest):
    """Delete a file."""

    def check_params_valid(self) -> bool:
        """Whether the arguments are right."""
        return super().check_params_valid() and self._check_path(is_file=True)


class DelFolderRequest(BaseRequest):
    """Delete an empty folder."""

    def check_params_valid(self) -> bool:
        """Whether the arguments are right."""
        return (
            super().check_params_valid()
            and self._check_path(is_file=False)
            and self._param_check.check_not_cos_root(self._cos_path)
        )


class ListFolderRequest(BaseRequest):
    """List a folder: `num` entries from `context` on whose names begin with `prefix`."""

    def __init__(
        self,
        bucket_name: str,
        cos_path: str,
        num: int = 199,
        prefix: str = "",
        context: str = "",
        delimiter: str = "",
    ) -> None:
        super().__init__(bucket_name, cos_path)
        self._num = num
        self._prefix = prefix
        self._context = context
        self._delimiter = delimiter

    def set_num(self, num: int) -> None:
        """Set how many entries at most."""
        self._num = num

    def get_num(self) -> int:
        """Return how many entries at most."""
        return self._num

    def set_prefix(self, prefix: str) -> None:
        """Set what the names begin with."""
        self._prefix = prefix

    def get_prefix(self) -> str:
        """Return what the names begin with."""
        return self._prefix

    def set_context(self, context: str) -> None:
        """Set where to go on, as the reply before said."""
        self._context = context

    def get_context(self) -> str:
        """Return where to go on."""
        return self._context

    def set_delimiter(self, delimiter: str) -> None:
        """Set the delimiter."""
        self._delimiter = delimiter

    def get_delimiter(self) -> str:
        """Return the delimiter."""
        return self._delimiter

    def check_params_valid(self) -> bool:
        """Whether the arguments are right."""
        return (
            super().check_params_valid()
            and self._check_path(is_file=False)
            and self._check_text("prefix", self._prefix)
            and self._check_text("delimeter", self._delimiter)
            and self._check_text("context", self._context)
        )


class DownloadObjectRequest(BaseRequest):
    """Download a file as a stream; a range's end is its last byte."""

    def __init__(
        self,
        bucket_name: str,
        cos_path: str,
        range_start: int | None = None,
        range_end: int | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(bucket_name, cos_path)
        self._range_start = range_start
        self._range_end = range_end
        self._custom_headers = kwargs.get("headers")

    def check_params_valid(self) -> bool:
        """Whether the arguments are right."""
        return super().check_params_valid() and self._check_path(is_file=True)


class DownloadFileRequest(DownloadObjectRequest):
    """Download a file into one here."""

    def __init__(
        self,
        bucket_name: str,
        cos_path: str,
        local_filename: str,
        range_start: int | None = None,
        range_end: int | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(bucket_name, cos_path, range_start, range_end, *args, **kwargs)
        self._local_filename = local_filename


class MoveFileRequest(BaseRequest):
    """Move a file within its bucket."""

    def __init__(
        self, bucket_name: str, cos_path: str, dest_path: str, overwrite: bool = False
    ) -> None:
        super().__init__(bucket_name, cos_path)
        self._dest_path = dest_path
        if not isinstance(overwrite, bool):
            raise ValueError("overwrite must be an instance of Boolean")
        self._overwrite = int(overwrite)

    @property
    def dest_path(self) -> str:
        """Where it goes."""
        return self._dest_path

    @property
    def overwrite(self) -> int:
        """1 where a file there is replaced, else 0."""
        return self._overwrite
