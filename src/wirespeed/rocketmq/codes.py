"""Request and response codes of the remoting protocol, and the errors they become."""

from __future__ import annotations

from typing import Any

from ..errors import (
    AccessDenied,
    Busy,
    ConfigError,
    NotFound,
    ServiceError,
    Throttled,
    TopicNotFound,
    Unsupported,
    WirespeedError,
)

PULL_MESSAGE = 11
QUERY_MESSAGE = 12
QUERY_CONSUMER_OFFSET = 14
UPDATE_CONSUMER_OFFSET = 15
UPDATE_AND_CREATE_TOPIC = 17
GET_BROKER_RUNTIME_INFO = 28
SEARCH_OFFSET_BY_TIMESTAMP = 29
GET_MAX_OFFSET = 30
GET_MIN_OFFSET = 31
VIEW_MESSAGE_BY_ID = 33
HEART_BEAT = 34
UNREGISTER_CLIENT = 35
CONSUMER_SEND_MSG_BACK = 36
END_TRANSACTION = 37
GET_CONSUMER_LIST_BY_GROUP = 38
CHECK_TRANSACTION_STATE = 39
NOTIFY_CONSUMER_IDS_CHANGED = 40
LOCK_BATCH_MQ = 41
UNLOCK_BATCH_MQ = 42
CHECK_CLIENT_CONFIG = 46
GET_ROUTEINFO_BY_TOPIC = 105
GET_BROKER_CLUSTER_INFO = 106
UPDATE_AND_CREATE_SUBSCRIPTIONGROUP = 200
GET_TOPIC_STATS_INFO = 202
GET_CONSUMER_CONNECTION_LIST = 203
GET_ALL_TOPIC_LIST_FROM_NAMESERVER = 206
DELETE_SUBSCRIPTIONGROUP = 207
GET_CONSUME_STATS = 208
DELETE_TOPIC_IN_BROKER = 215
DELETE_TOPIC_IN_NAMESRV = 216
RESET_CONSUMER_CLIENT_OFFSET = 220
GET_CONSUMER_STATUS_FROM_CLIENT = 221
INVOKE_BROKER_TO_RESET_OFFSET = 222
GET_CONSUMER_RUNNING_INFO = 307
CONSUME_MESSAGE_DIRECTLY = 309
SEND_MESSAGE_V2 = 310
SEND_BATCH_MESSAGE = 320
SEND_REPLY_MESSAGE_V2 = 325
PUSH_REPLY_MESSAGE_TO_CLIENT = 326
RECALL_MESSAGE = 370
POP_MESSAGE = 200050
ACK_MESSAGE = 200051
CHANGE_MESSAGE_INVISIBLETIME = 200053

SUCCESS = 0
SYSTEM_ERROR = 1
SYSTEM_BUSY = 2
FLUSH_DISK_TIMEOUT = 10
SLAVE_NOT_AVAILABLE = 11
FLUSH_SLAVE_TIMEOUT = 12
SERVICE_NOT_AVAILABLE = 14
NO_PERMISSION = 16
TOPIC_NOT_EXIST = 17
PULL_NOT_FOUND = 19
PULL_RETRY_IMMEDIATELY = 20
PULL_OFFSET_MOVED = 21
QUERY_NOT_FOUND = 22
SUBSCRIPTION_PARSE_FAILED = 23
SUBSCRIPTION_NOT_EXIST = 24
SUBSCRIPTION_NOT_LATEST = 25
NO_BUYER_ID = 204
NOT_IN_CURRENT_UNIT = 205
CONSUMER_NOT_ONLINE = 206
NO_MESSAGE = 208
POLLING_FULL = 209
POLLING_TIMEOUT = 210
FLOW_CONTROL = 215
ILLEGAL_OPERATION = 604
GO_AWAY = 1500

RETRIED_SEND_CODES = frozenset(
    {
        SYSTEM_ERROR,
        SYSTEM_BUSY,
        SERVICE_NOT_AVAILABLE,
        NO_PERMISSION,
        TOPIC_NOT_EXIST,
        NO_BUYER_ID,
        NOT_IN_CURRENT_UNIT,
        GO_AWAY,
    }
)
"""Broker answers after which a send goes to another broker."""

_NAMES = {
    1: "SYSTEM_ERROR",
    2: "SYSTEM_BUSY",
    3: "REQUEST_CODE_NOT_SUPPORTED",
    13: "MESSAGE_ILLEGAL",
    14: "SERVICE_NOT_AVAILABLE",
    15: "VERSION_NOT_SUPPORTED",
    16: "NO_PERMISSION",
    17: "TOPIC_NOT_EXIST",
    19: "PULL_NOT_FOUND",
    20: "PULL_RETRY_IMMEDIATELY",
    21: "PULL_OFFSET_MOVED",
    22: "QUERY_NOT_FOUND",
    23: "SUBSCRIPTION_PARSE_FAILED",
    24: "SUBSCRIPTION_NOT_EXIST",
    25: "SUBSCRIPTION_NOT_LATEST",
    26: "SUBSCRIPTION_GROUP_NOT_EXIST",
    29: "INVALID_PARAMETER",
    204: "NO_BUYER_ID",
    205: "NOT_IN_CURRENT_UNIT",
    206: "CONSUMER_NOT_ONLINE",
    208: "NO_MESSAGE",
    209: "POLLING_FULL",
    210: "POLLING_TIMEOUT",
    215: "FLOW_CONTROL",
    501: "NOT_LEADER_FOR_QUEUE",
    604: "ILLEGAL_OPERATION",
    1500: "GO_AWAY",
}

_ERRORS: dict[int, type[WirespeedError]] = {
    2: Busy,
    3: Unsupported,
    13: ConfigError,
    14: Busy,
    16: AccessDenied,
    17: TopicNotFound,
    22: NotFound,
    23: ConfigError,
    24: NotFound,
    26: NotFound,
    29: ConfigError,
    206: NotFound,
    208: NotFound,
    209: Busy,
    215: Throttled,
    604: ConfigError,
    1500: Busy,
}

_ACL_1 = "org.apache.rocketmq.acl.common.AclException"


def name(code: int) -> str:
    """Return the protocol's name of a response code, or its number as text."""
    return _NAMES.get(code, str(code))


def error(code: int, remark: str | None, endpoint: str, **fields: Any) -> WirespeedError:
    """Return the typed error for a server's answer other than success."""
    kind = _ERRORS.get(code, ServiceError)
    text = remark or ""
    if code == SYSTEM_ERROR and text.startswith(_ACL_1):
        kind = AccessDenied
    first_line = text.splitlines()[0] if text else "no remark"
    return kind(
        f"{endpoint} answered {name(code)}: {first_line}",
        service="rocketmq",
        code=code,
        endpoint=endpoint,
        retryable=code in RETRIED_SEND_CODES or code == FLOW_CONTROL,
        **{"outcome": "rejected", **fields},
    )
