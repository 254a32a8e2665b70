"""RocketMQ's wire format in plain Python: the reference twin of the C core.

It is typed and readable first. Every name here has the same values and the same error types
in the Cython and cffi backends; `wirespeed._native` re-exports whichever is in use.
"""

from __future__ import annotations

from .batch import encode_batch as encode_batch
from .frame import FrameSplitter as FrameSplitter
from .header import decode_header as decode_header
from .header import encode_header as encode_header
from .header import encode_send as encode_send
from .message import MessageHandle as MessageHandle
from .message import message_create as message_create
from .message import message_destroy as message_destroy
from .message import message_get_body as message_get_body
from .message import message_get_keys as message_get_keys
from .message import message_get_properties as message_get_properties
from .message import message_get_property as message_get_property
from .message import message_get_tags as message_get_tags
from .message import message_get_topic as message_get_topic
from .message import message_is_alive as message_is_alive
from .message import message_set_body as message_set_body
from .message import message_set_body_length as message_set_body_length
from .message import message_set_delay_level as message_set_delay_level
from .message import message_set_keys as message_set_keys
from .message import message_set_property as message_set_property
from .message import message_set_tags as message_set_tags
from .message import message_set_topic as message_set_topic
from .properties import decode_properties as decode_properties
from .properties import encode_properties as encode_properties
from .properties import tag_hash as tag_hash
from .stored import StoredMessage as StoredMessage
from .stored import decode_messages as decode_messages
