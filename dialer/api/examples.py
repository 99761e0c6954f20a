"""Requests and answers of the calling API's document, as the OpenAPI description shows them."""

from typing import Any, Final

CLIENT: Final[dict[str, Any]] = {
    "name": "Client Name",
    "accountcode": "client_xyz",
    "username": "client_username",
    "did": "+1234567890",
    "phone_number": "+1234567890",
    "allocated_channels": 10,
    "callbackurl": "https://client.com/callback",
    "is_superuser": False,
    "rate_limit": 1000,
    "is_active": True,
    "status": "active",
}
SMALL_CLIENT: Final[dict[str, Any]] = {
    "name": "Client Company",
    "accountcode": "client_xyz",
    "username": "client_user",
    "allocated_channels": 10,
    "is_active": True,
}
CLIENT_MADE: Final[dict[str, Any]] = {
    "id": 123,
    "name": "Client Name",
    "accountcode": "client_xyz",
    "username": "client_username",
    "api_key": "abc123def456ghi789jkl012mno345pqr678stu901vwx234yz",
    "is_active": True,
    "status": "active",
    "created_at": "2024-01-01T10:00:00Z",
    "updated_at": "2024-01-01T10:00:00Z",
}
KEY_MADE: Final = CLIENT_MADE | {
    "api_key": "new_abc123def456ghi789jkl012mno345pqr678stu901vwx234yz",
    "updated_at": "2024-01-01T10:05:00Z",
}
KEY_REVOKED: Final = KEY_MADE | {"api_key": None}
SIGNING: Final[dict[str, Any]] = {
    "accountcode": "client_xyz",
    "signing_secret": None,
    "version": 1,
    "previous_valid_until": None,
}
SECRET_MADE: Final = SIGNING | {
    "signing_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw3vPsFUBvXxA=",
    "version": 2,
    "previous_valid_until": "2024-01-02T10:05:00Z",
}
CONNECTION: Final[dict[str, Any]] = {
    "message": "Connection successful",
    "status": "success",
    "data": {"accountcode": "client_xyz", "name": "Client Name", "is_superuser": False},
}

ACTION: Final[dict[str, Any]] = {
    "Action": "Originate",
    "ActionID": "call-uuid-1234",
    "Channel": "PJSIP/1234567890@endpoint1",
    "Application": "Dial",
    "Data": "PJSIP/0987654321@endpoint2,30",
    "Timeout": 30000,
    "CallerID": "Your Company <1001>",
    "Account": "your_account_code",
    "EarlyMedia": True,
    "Async": True,
}
BATCH: Final[dict[str, Any]] = {
    "queue_id": None,
    "batch_id": 12345,
    "dids": ["+1234567890", "+0987654321"],
    "data": [
        {
            "asterisk_server_code": "server1",
            "caller_id": "Your Company <1001>",
            "action": ACTION,
            "retry": 3,
            "create_recording": True,
            "recording_format": "wav",
            "queue_type": "outbound",
            "call_timeout": 30,
            "contact_number": 1234567890,
            "project": "campaign_2024",
            "deadline": "2024-12-31T23:59:59Z",
        }
    ],
}
SMALL_BATCH: Final[dict[str, Any]] = {
    "batch_id": 1001,
    "data": [
        {
            "asterisk_server_code": "server1",
            "action": {
                "Action": "Originate",
                "Channel": "PJSIP/1234567890@endpoint1",
                "Application": "Dial",
                "Data": "PJSIP/0987654321@endpoint2,30",
            },
            "create_recording": True,
            "project": "campaign_2024",
        }
    ],
}
TEXT_BATCH: Final[dict[str, Any]] = {
    "batch_id": "1002",
    "data": [
        {
            "asterisk_server_code": "server1",
            "action": {
                "action": "originate",
                "channel": "PJSIP/1234567890@endpoint1",
                "timeout": "20000",
                "variable": "CAMPAIGN=summer,LANG=en",
                "async": "true",
            },
            "retry": "2",
            "contact_number": "00989121234567",
        }
    ],
}
BATCH_MADE: Final[dict[str, Any]] = {
    "message": "Queue data inserted successfully",
    "status": "success",
    "data": {"queue_id": 123, "inserted_count": 1, "batch_id": 12345},
}

QUICK_CALL: Final[dict[str, Any]] = {
    "asterisk_server_code": "server1",
    "number1": "1234567890",
    "number2": "0987654321",
    "customer_name": "John Doe",
    "prefix": "1",
    "endpoint": "provider1",
    "action": {
        "Application": "Dial",
        "Data": "PJSIP/0987654321@endpoint2,30",
        "Async": True,
        "ChannelId": "channel-123",
    },
    "create_recording": True,
    "recording_format": "wav",
    "call_timeout": 30,
    "project": "quick_campaign",
}
SMALL_QUICK_CALL: Final[dict[str, Any]] = {
    "asterisk_server_code": "server1",
    "number1": "1234567890",
    "customer_name": "Test Customer",
    "action": {"Application": "Dial"},
}
QUICK_CALL_MADE: Final[dict[str, Any]] = {
    "message": "Quick call inserted successfully",
    "status": "success",
    "data": {"call_id": "call-uuid-1234", "queue_id": 124},
}

CHANGE: Final[dict[str, Any]] = {
    "queue_status": "paused",
    "retry": True,
    "retry_count": 3,
    "retry_gap": 300,
}
QUEUE: Final[dict[str, Any]] = {
    "id": 123,
    "client_id": 123,
    "accountcode": "client_xyz",
    "queue_name": "campaign_2024 2024-01-01 10:00:00",
    "queue_status": "paused",
    "retry": True,
    "retry_count": 3,
    "retry_gap": 300,
    "created_at": "2024-01-01T10:00:00Z",
    "updated_at": "2024-01-01T10:05:00Z",
    "dids": ["+1234567890", "+0987654321"],
    "total_count": 1,
    "pending_count": 1,
    "queued_count": 0,
    "processed_count": 0,
    "terminated_count": 0,
}
_ONE_PAGE: Final[dict[str, Any]] = {
    "previous_page": None,
    "next_page": None,
    "start_index": 1,
    "end_index": 1,
    "total_entries": 1,
    "total_pages": 1,
    "page": 1,
}
QUEUES: Final[dict[str, Any]] = {"pagination": _ONE_PAGE, "results": [QUEUE], "status": "success"}
ITEM: Final[dict[str, Any]] = {
    "id": 4711,
    "queue_id": 123,
    "batch_id": 12345,
    "call_id": "call-uuid-1234",
    "asterisk_server_code": "server1",
    "caller_id": "Your Company <1001>",
    "action": {
        **ACTION,
        "Variable": None,
        "Codecs": None,
        "ChannelId": None,
        "OtherChannelId": None,
        "PreDialGoSub": None,
    },
    "retry": 3,
    "call_tried": 1,
    "call_success": 1,
    "call_failed": 0,
    "call_status": "processed",
    "connected": True,
    "create_recording": True,
    "recording_format": "wav",
    "queue_type": "outbound",
    "queue_status": "completed",
    "call_timeout": 30,
    "recording_path": None,
    "mix_monitor_command": None,
    "disposition": "answered",
    "contact_number": 1234567890,
    "project": "campaign_2024",
    "deadline": "2024-12-31T23:59:59Z",
    "last_cdr_id": "018cc4f5-1a2b-7c3d-8e4f-5a6b7c8d9e0f",
}
ITEMS: Final[dict[str, Any]] = {"pagination": _ONE_PAGE, "results": [ITEM], "status": "success"}
QUEUE_CHANGED: Final[dict[str, Any]] = {
    "message": "Queue updated successfully",
    "status": "success",
    "data": QUEUE,
}
FLUSHED: Final[dict[str, Any]] = {
    "message": "Queue flushed successfully",
    "status": "success",
    "data": {"flushed_count": 250},
}
ALIVE: Final[dict[str, Any]] = {"message": "Alive", "status": "success", "data": {}}
READY: Final[dict[str, Any]] = {
    "message": "Ready",
    "status": "success",
    "data": {"store": True, "worker": True},
}
