"""One CDR, many wire shapes: a module for each API, pure functions from a CDR to its record.

    view = View(zone=ZoneInfo(client.timezone), row_id=row.id, quick=row.quick)
    v2_default.write_default(cdr, view)        a record of /v2/cdr, and the answer for one
    v2_flex.write_flex(cdr, view)
    ozonetel.write_report_row(cdr, view, ozonetel.Report.PAGINATED)
    pbx.write_pbx(cdr, view)

Every record is a dict of JSON values in documented key order; a `Cdr` always gives one. `Closing`
in place of the CDR is an item that ended without an attempt: pushed only, never read.

For filters: each module's `DISPOSITIONS_OF` says which dispositions a status word selects;
`ozonetel.QUICK_OF` which calls a `Type`; application words are `dialer.histories.App`;
`v2_default.DIRECTIONS` and `pbx.DIRECTION` are the directions (a dialer's calls are all outbound);
`ozonetel.find_row` gives the row of a UCID; `parties.find_extension` the extension of a CDR;
`pbx.find_uniqueid` its uniqueid, which is its linkedid too. CampaignName is the project,
external_id the call_id.
"""

from dialer.dialects.view import CdrMapping, Closing, Shape, Source, View

__all__ = ["CdrMapping", "Closing", "Shape", "Source", "View"]
