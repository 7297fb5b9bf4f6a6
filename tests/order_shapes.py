"""Orders as clients send them."""

from collections.abc import Mapping

from lxml import etree

CLIENTS: Mapping[str, bytes] = {
    "python": (
        b"<?xml version='1.0' encoding='UTF-8'?>\n<Order><CustomerOrderId>1</CustomerOrderId>"
        b"<Name>x</Name><NpanxxSearchAndOrderType><EnableLca>false</EnableLca>"
        b"<NpaNxx>919439</NpaNxx><Quantity>2</Quantity></NpanxxSearchAndOrderType>"
        b"<SiteId>743</SiteId></Order>"
    ),
    "node": (
        b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<Order>\n'
        b"  <SiteId>743</SiteId>\n  <AreaCodeSearchAndOrderType>\n    <AreaCode>617</AreaCode>\n"
        b"    <Quantity>2</Quantity>\n  </AreaCodeSearchAndOrderType>\n</Order>"
    ),
    "ruby": (
        b'<?xml version="1.0" encoding="UTF-8"?><Order><SiteId>743</SiteId>'
        b"<ZipSearchAndOrderType><Zip>27606</Zip><Quantity>2</Quantity></ZipSearchAndOrderType>"
        b"</Order>"
    ),
    "php": (
        b'<?xml version="1.0"?>\n<Order><Name>Caf&#xE9;</Name><SiteId>743</SiteId>'
        b"<StateSearchAndOrderType><State>NC</State><Quantity>2</Quantity>"
        b"</StateSearchAndOrderType></Order>\n"
    ),
    "c#": (
        b'<?xml version="1.0" encoding="utf-8"?>\r\n'
        b'<Order xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        b' xmlns:xsd="http://www.w3.org/2001/XMLSchema">\r\n  <SiteId>743</SiteId>\r\n'
        b"  <RateCenterSearchAndOrderType>\r\n    <AreaCode>919</AreaCode>\r\n"
        b"    <Quantity>2</Quantity>\r\n  </RateCenterSearchAndOrderType>\r\n</Order>"
    ),
    "java-iris": (
        b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<Order>\n'
        b"    <SiteId>743</SiteId>\n    <LATASearchAndOrderType>\n        <Quantity>2</Quantity>\n"
        b"        <LATA>224</LATA>\n    </LATASearchAndOrderType>\n</Order>\n"
    ),
    "numbers-java-sdk": (
        b"<Order><SiteId>743</SiteId><TollFreeWildCharSearchAndOrderType><Quantity>2</Quantity>"
        b"<TollFreeWildCharPattern>8**</TollFreeWildCharPattern>"
        b"</TollFreeWildCharSearchAndOrderType></Order>"
    ),
    "go": (
        b"<Order><Name></Name><CustomerOrderId></CustomerOrderId><SiteId>743</SiteId>"
        b"<ExistingTelephoneNumberOrderType><TelephoneNumberList>"
        b"<TelephoneNumber>9193752369</TelephoneNumber><TelephoneNumber>9193752720"
        b"</TelephoneNumber></TelephoneNumberList><ReservationIdList/>"
        b"</ExistingTelephoneNumberOrderType><TnAttributes/></Order>"
    ),
    "a template in a shell script": (
        b"\n  \n<Order>\n  <SiteId>\n    743\n  </SiteId>\n  <CitySearchAndOrderType>\n"
        b"    <City>\n      RALEIGH\n    </City>\n    <State>NC</State>\n"
        b"    <Quantity>2</Quantity>\n  </CitySearchAndOrderType>\n</Order>\n"
    ),
}
"""Each of clients-and-orders.md's table; every one is for two numbers and site 743."""


def indented(root: etree._Element, space: str) -> bytes:
    """The order as another client would lay it out."""
    copy = etree.fromstring(etree.tostring(root))
    etree.indent(copy, space=space)
    return etree.tostring(copy)
