"""What the APIs answer that give CDRs in another API's shape, as models (see `schemas.py`). The
records themselves are told in docs/cdr-mapping.md."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from dialer.api.schemas import Count, Shape

Record = dict[str, Any]


class TokenAnswer(Shape):
    """A token, to be presented as Bearer in place of the API key."""

    token: str
    token_type: Literal["Bearer"]
    expires_in: Annotated[int, Field(ge=1, description="seconds")]


class CdrList(Shape):
    """CDRs, the oldest first."""

    data: list[Record]
    limit: Count
    offset: Count
    total: Count
    scroll_id: str | None = Field(
        default=None, description="when scrolling: what to go on with; null when there is no more"
    )


class OneCdr(Shape):
    """One CDR."""

    model_config = ConfigDict(extra="allow")


class ReportToken(Shape):
    """A token, to be presented as Bearer."""

    token: str


class ReportAnswer(Shape):
    """The calls of a day, or one."""

    details: list[Record]
    status: Literal["success"]
    message: str


class PaginatedReport(ReportAnswer):
    """A page of the calls of a day, and how many there are."""

    total_count: Annotated[Count, Field(alias="totalCount")]


class ReportFailure(Shape):
    """An error of a report."""

    status: Literal["false", "fail"]
    message: str
    data: None = Field(default=None, description="there when a token ended")


class Pagination(Shape):
    """Where a page stands; all but page_size are 0 where nothing was found."""

    row_count: Count
    page_size: Count
    current_page: Count
    max_page: Count


class PbxAnswer(Shape):
    """A page of CDRs, or what is wrong with the filters."""

    has_error: bool
    messages: list[str]
    pagination: Pagination | Annotated[list[Any], Field(max_length=0)]
    results: list[Record]


class PbxFailure(PbxAnswer):
    """An error."""


class KeyHolder(Shape):
    """The body of a request for a token."""

    model_config = ConfigDict(extra="ignore")

    api_key: Annotated[str, Field(min_length=1)]


class ReportHolder(Shape):
    """The body of a request for a report's token."""

    model_config = ConfigDict(extra="ignore")

    userName: Annotated[str, Field(min_length=1)]  # noqa: N815 — as it is documented


class ReportRequest(Shape):
    """The body of a report."""

    model_config = ConfigDict(extra="ignore")

    fromDate: Annotated[str, Field(description="YYYY-MM-DD HH:MM:SS")]  # noqa: N815
    toDate: Annotated[str, Field(description="of the same date")]  # noqa: N815
    userName: str  # noqa: N815
    ucid: str | int | None = None
    monitorUCID: str | int | None = None  # noqa: N815
    campaignName: str | None = None  # noqa: N815
    callType: str | None = Field(default=None, description="Progressive, Manual or InBound")  # noqa: N815
    status: str | None = Field(default=None, description="Answered or NotAnswered")


class PbxRequest(Shape):
    """The parameters of a search, nested or with bracketed keys. The api_hash is that of all that
    is sent, so that nothing is refused before it is checked."""

    model_config = ConfigDict(extra="ignore")

    page: Any = Field(default=1, description="from 1")
    filters: Any = Field(default=None, description="docs/cdr-apis.md names the 18")
    api_hash: Any = Field(description="md5 over http_build_query and the API key")
