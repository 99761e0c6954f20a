"""The options of `dialer cdrs`. Filters are named as `dialer.histories.CdrQuery` names them."""

from pathlib import Path
from typing import Annotated

import typer

from ami import Disposition
from dialer.export import Format
from dialer.histories import App, Direction

Text = str | None
Whole = int | None

Form = Annotated[Format, typer.Option("--format", help="csv, or ndjson: one object a line.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write here, not to the terminal."),
]
Account = Annotated[Text, typer.Option(metavar="ACCOUNTCODE", help="Of this client only.")]
Zone = Annotated[
    Text,
    typer.Option(help="Whose clock is meant, like Asia/Tehran. Default: the client's, or UTC."),
]
From = Annotated[
    Text,
    typer.Option("--from", metavar="TIME", help="Begun then or later: 2025-01-15 [10:30:00]."),
]
Until = Annotated[
    Text, typer.Option(metavar="TIME", help="Begun then or before; a date: all of that day.")
]
Hours = Annotated[Text, typer.Option(metavar="HH:MM-HH:MM", help="Begun at this time of any day.")]
Dispositions = Annotated[
    list[Disposition] | None, typer.Option("--disposition", help="Ended so; repeat for more.")
]
Apps = Annotated[list[App] | None, typer.Option("--app", help="What for; repeat for more.")]
Directions = Annotated[
    list[Direction] | None, typer.Option("--direction", help="A dialer's calls are outbound.")
]
Projects = Annotated[
    list[str] | None, typer.Option("--project", help="Of this project; repeat for more.")
]
Number = Annotated[Text, typer.Option(help="To or from exactly this number.")]
NumberPart = Annotated[Text, typer.Option(help="To or from a number with this in it.")]
SourcePart = Annotated[Text, typer.Option(help="From a number with this in it.")]
DestinationPart = Annotated[Text, typer.Option(help="To a number with this in it.")]
Extension = Annotated[Text, typer.Option(help="With this second leg.")]
Duration = Annotated[Whole, typer.Option(min=0, help="Exactly so many seconds long.")]
QueueId = Annotated[Whole, typer.Option("--queue", metavar="ID", help="Of this queue.")]
QueueName = Annotated[Text, typer.Option(help="Of queues with this name.")]
ServerCode = Annotated[Text, typer.Option("--server", metavar="CODE", help="Through this server.")]
ContactNumber = Annotated[Text, typer.Option(help="Of this contact.")]
Recorded = Annotated[
    bool | None, typer.Option("--recorded/--not-recorded", help="With or without audio.")
]
Final = Annotated[
    bool | None, typer.Option("--final/--not-final", help="Last attempts, or all others.")
]
FromId = Annotated[Whole, typer.Option(min=0, help="Rows from this id on.")]
CdrId = Annotated[Text, typer.Option(help="The one with this id.")]
CallId = Annotated[Text, typer.Option(help="All attempts of this call.")]
Uniqueid = Annotated[Text, typer.Option(help="With this ChannelId.")]
SipCallId = Annotated[Text, typer.Option(help="With this SIP Call-ID.")]
