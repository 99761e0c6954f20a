"""The calls of the golden traces: what is ordered, and what is done to it while it lives."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.lab.raw_ami import Message, RawAmi

Course = Callable[[RawAmi, "Order"], Awaitable[None]]
"""What is done to a call between its order and its end."""

UNICODE_NAME = "Zoë Müller-Østergård 李"


@dataclass(frozen=True, slots=True)
class Order:
    """One Originate. `number` is dialed over the carrier, or stands in `channel`; `second` is what
    the application dials for `second_timeout` seconds. `hung_up`: by us, while it rang."""

    name: str
    number: str
    channel: str = "PJSIP/{}@carrier"
    application: str = "Wait"
    data: str = "60"
    timeout: int = 20_000
    caller_id: str = '"Lab" <5551000>'
    second: str | None = None
    second_timeout: float = 20
    recorded: bool = False
    hung_up: bool = False
    course: Course | None = None

    @property
    def channel_id(self) -> str:
        return f"{self.name}-channel"

    @property
    def dial_string(self) -> str:
        return self.channel.format(self.number)

    @property
    def recording(self) -> str:
        """Its name below the folder of all recordings, without its ending."""
        return f"golden/{self.name}"

    def headers(self) -> list[tuple[str, str]]:
        place = [("Application", self.application), ("Data", self.data)]
        if self.recorded:
            place = [
                *(("Context", "dialer-recording"), ("Exten", "s"), ("Priority", "1")),
                ("Variable", f"DIALER_RECORDING={self.recording}"),
                ("Variable", "DIALER_FORMAT=wav"),
                ("Variable", "DIALER_PROFILE=default"),
                ("Variable", f"DIALER_APPLICATION={self.application}"),
                ("Variable", "DIALER_DATA=" + self.data.replace(",", "\\,")),
            ]
        return [
            ("ActionID", f"{self.name}-action"),
            ("Channel", self.dial_string),
            ("ChannelId", self.channel_id),
            *place,
            ("Timeout", str(self.timeout)),
            ("CallerID", self.caller_id),
            ("Account", "golden"),
            ("Async", "true"),
        ]


def dials(name: str, number: str, second: str, timeout: float = 20, **more: object) -> Order:
    """A call that is bridged with a second leg."""
    data = f"PJSIP/{second}@carrier,{timeout:g}"
    fields = {"application": "Dial", "data": data, "second": second, "second_timeout": timeout}
    return Order(name, number, **(fields | more))  # type: ignore[arg-type]


def is_ringing(order: Order) -> Callable[[Message], bool]:
    return lambda m: (
        (m.event, m["Uniqueid"], m["ChannelStateDesc"]) == ("Newstate", order.channel_id, "Ringing")
    )


def is_bridged(order: Order) -> Callable[[RawAmi], bool]:
    """Did both legs enter a bridge?"""
    return lambda ami: (
        sum(m.event == "BridgeEnter" and m["Linkedid"] == order.channel_id for m in ami.messages)
        >= 2
    )


def second_rings(order: Order) -> Callable[[Message], bool]:
    return lambda m: (
        m.event == "Newstate"
        and m["ChannelStateDesc"] == "Ringing"
        and m["Linkedid"] == order.channel_id != m["Uniqueid"]
    )


async def hang_up(ami: RawAmi, order: Order) -> None:
    headers = {"ActionID": f"{order.name}-hangup", "Channel": order.channel_id}
    await ami.ask("Hangup", headers)


async def hang_up_ringing(ami: RawAmi, order: Order) -> None:
    await ami.first(is_ringing(order))
    await hang_up(ami, order)


async def hang_up_answered(ami: RawAmi, order: Order) -> None:
    await ami.first(
        lambda m: m.event == "OriginateResponse" and m["ActionID"] == f"{order.name}-action"
    )
    await asyncio.sleep(1.2)
    await hang_up(ami, order)


async def hang_up_while_second_rings(ami: RawAmi, order: Order) -> None:
    await ami.first(second_rings(order))
    await asyncio.sleep(1.2)
    await hang_up(ami, order)


async def bridged_second(ami: RawAmi, order: Order) -> str:
    """The channel name of the second leg, once both talk."""
    await ami.until(is_bridged(order))
    await asyncio.sleep(0.5)
    return next(
        m["Channel"]
        for m in ami.messages
        if m.event == "BridgeEnter" and m["Linkedid"] == order.channel_id != m["Uniqueid"]
    )


async def transfer_blindly(ami: RawAmi, order: Order) -> None:
    """The second leg sends the called party on to another number, and is out of it."""
    second = await bridged_second(ami, order)
    headers = {"ActionID": f"{order.name}-transfer", "Channel": second}
    await ami.ask("BlindTransfer", headers | {"Context": "lab-out", "Exten": "5503000"})


async def transfer_attended(ami: RawAmi, order: Order) -> None:
    """The second leg calls another number, talks to it, and leaves it to the called party."""
    second = await bridged_second(ami, order)
    before = len(ami.messages)
    headers = {"ActionID": f"{order.name}-transfer", "Channel": second}
    await ami.ask("Atxfer", headers | {"Context": "lab-transfer", "Exten": "5503000"})
    await ami.until(
        lambda it: any(
            (m.event, m["DialStatus"]) == ("DialEnd", "ANSWER") for m in it.messages[before:]
        )
    )
    await asyncio.sleep(0.7)
    await ami.ask("Hangup", {"ActionID": f"{order.name}-leaves", "Channel": second})


TABLE = {
    "01": "busy",
    "03": "congestion",
    "04": "unallocated",
    "05": "unavailable",
    "08": "dropped_at_once",
    "09": "ring_then_busy",
    "10": "early_media_busy",
    "11": "reject",
}
"""Numbers of the carrier's table, by the traces' names."""

LOCAL = "Local/{}@lab-out/n"

ORDERS: tuple[Order, ...] = (
    Order("answer", "5501000"),
    *(Order(name, f"55010{ending}") for ending, name in TABLE.items()),
    Order("no_answer", "5501002", timeout=3000),
    Order("dead_trunk", "5501000", "PJSIP/{}@dead", timeout=2000),
    Order("dead_trunk_32s", "5501000", "PJSIP/{}@dead", timeout=60_000),
    Order("no_contact", "5501000", "PJSIP/{}@nocontact"),
    Order("our_end", "5501007", data="1"),
    Order("cancel", "5501002", hung_up=True, course=hang_up_ringing),
    Order("hung_up_answered", "5501007", course=hang_up_answered),
    Order("name", "5501000", caller_id=f'"{UNICODE_NAME}" <5551000>'),
    Order("key", "*5501000"),
    dials("dial", "5501007", "5502000"),
    dials("dial_b_busy", "5501007", "5502001"),
    dials("dial_b_no_answer", "5501007", "5502002", 2),
    dials("dial_b_hung_up", "5501007", "5502002", course=hang_up_while_second_rings),
    Order("local_busy", "5501001", LOCAL),
    dials("local_dial", "5501007", "5502000", channel=LOCAL),
    dials("recorded_dial", "5501007", "*5502000", recorded=True),
    # Recorded, so that the call runs in the dialplan: one that runs an application alone ends when
    # it is to be sent on.
    dials("transfer_blind", "5501007", "5502007", recorded=True, course=transfer_blindly),
    dials(
        *("transfer_attended", "5501007", "5502007"),
        data="PJSIP/5502007@carrier,20,t",
        course=transfer_attended,
    ),
)
