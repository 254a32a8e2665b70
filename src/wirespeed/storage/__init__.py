"""What the object stores share: sources, targets, journals, the plan of a transfer, progress."""

from __future__ import annotations

from ..config import state_folder as state_folder
from .bucket import AsyncBucket as AsyncBucket
from .bucket import Bucket as Bucket
from .journal import Journal as Journal
from .models import Progress as Progress
from .models import ProgressCallback as ProgressCallback
from .models import UploadResult as UploadResult
from .models import check_progress as check_progress
from .progress import ProgressReporter as ProgressReporter
from .sources import BufferSource as BufferSource
from .sources import FileSource as FileSource
from .sources import LoadedBlock as LoadedBlock
from .sources import Piece as Piece
from .sources import WatchedFile as WatchedFile
from .targets import FileTarget as FileTarget
from .transfer import Part as Part
from .transfer import RateLimit as RateLimit
from .transfer import byte_range as byte_range
from .transfer import carry as carry
from .transfer import plan as plan
from .transfer import rate_limit as rate_limit
from .transfer import room_for as room_for
