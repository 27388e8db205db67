# SPDX-License-Identifier: MIT
"""The report's metadata (XMP) and its attachment: all dates are the report's own.

The PDF library writes the present time into XMP, which would make every copy differ; so
the metadata is written here. Source: ISO 19005-3 (PDF/A-3) section 6.6, ISO 16684-1 (XMP).
"""

from datetime import UTC, datetime
from xml.sax.saxutils import escape

from fpdf import FPDF_VERSION

from sealtrail import __version__
from sealtrail.report.content import ReportModel
from sealtrail.report.pdf_style import Paper

EVIDENCE_NAME = "evidence.seal"
SUBJECT = "Temperature and custody of one shipment, from signed records"
_XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:pdf="http://ns.adobe.com/pdf/1.3/"
    xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">
   <pdfaid:part>3</pdfaid:part>
   <pdfaid:conformance>B</pdfaid:conformance>
   <xmp:CreatorTool>sealtrail {version}</xmp:CreatorTool>
   <xmp:CreateDate>{date}</xmp:CreateDate>
   <xmp:ModifyDate>{date}</xmp:ModifyDate>
   <xmp:MetadataDate>{date}</xmp:MetadataDate>
   <pdf:Producer>fpdf2 {library}</pdf:Producer>
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
   <dc:description>
    <rdf:Alt><rdf:li xml:lang="x-default">{subject}</rdf:li></rdf:Alt>
   </dc:description>
   <dc:creator><rdf:Seq><rdf:li>sealtrail</rdf:li></rdf:Seq></dc:creator>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>"""


def made_at(model: ReportModel) -> datetime:
    """When the report was made, in whole seconds."""
    return datetime.fromtimestamp(model.made_at_ms // 1000, UTC)


def write_metadata(paper: Paper, model: ReportModel) -> None:
    """Title, dates and the claim of PDF/A-3B."""
    date = made_at(model)
    paper.set_creation_date(date)
    paper.set_title(paper.printable(model.title))
    paper.set_lang("en")
    paper.set_xmp_metadata(
        _XMP.format(
            version=__version__,
            library=FPDF_VERSION,
            date=date.isoformat(timespec="seconds"),
            title=escape(paper.printable(model.title)),
            subject=SUBJECT,
        )
    )


def attach_evidence(paper: Paper, model: ReportModel) -> None:
    """Puts the evidence into the PDF byte for byte, as the source it was made from."""
    paper.embed_file(
        bytes=model.evidence.raw,
        basename=EVIDENCE_NAME,
        desc="The signed evidence, byte for byte",
        mime_type="application/cbor-seq",
        associated_file_relationship="Source",
        creation_date=made_at(model),
        modification_date=made_at(model),
        compress=False,
    )
