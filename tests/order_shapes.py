"""Orders as clients send them, and a generator of orders of every type."""

from collections.abc import Mapping

from hypothesis import strategies as st
from lxml import etree

from ordertape.order import ORDER_TYPES

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

_CRITERIA = {
    "AreaCodeSearchAndOrderType": ("AreaCode",),
    "RateCenterSearchAndOrderType": ("RateCenter", "State"),
    "NPANXXSearchAndOrderType": ("NpaNxx", "EnableLCA"),
    "NPANXXXSearchAndOrderType": ("NpaNxxX",),
    "TollFreeVanitySearchAndOrderType": ("TollFreeVanity",),
    "TollFreeWildCharSearchAndOrderType": ("TollFreeWildCardPattern",),
    "StateSearchAndOrderType": ("State",),
    "CitySearchAndOrderType": ("City", "State"),
    "ZIPSearchAndOrderType": ("Zip",),
    "LATASearchAndOrderType": ("Lata",),
    "CombinedSearchAndOrderType": ("AreaCode", "LocalVanity", "EndsIn"),
}

values = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x2FFF, exclude_characters="\x7f"), max_size=8
) | st.sampled_from(["", " 743 ", "\n1\t", "true", "\xa07\xa0", "<&>"])


@st.composite
def orders(draw: st.DrawFn) -> etree._Element:
    """An order of any type, compact, its values anything that XML can hold."""
    root = etree.Element("Order")
    for name in draw(st.sets(st.sampled_from(["SiteId", "Name", "PartialAllowed", "Unknown"]))):
        etree.SubElement(root, name).text = draw(values)
    name = draw(st.sampled_from(ORDER_TYPES))
    order_type = etree.SubElement(root, name)
    if name == "ExistingTelephoneNumberOrderType":
        numbers = etree.SubElement(order_type, "TelephoneNumberList")
        for number in draw(st.lists(values, max_size=3)):
            etree.SubElement(numbers, "TelephoneNumber").text = number
    else:
        for criterion in _CRITERIA[name]:
            etree.SubElement(order_type, criterion).text = draw(values)
        etree.SubElement(order_type, "Quantity").text = draw(st.sampled_from(["1", " 20\n", "007"]))
    return root


def indented(root: etree._Element, space: str) -> bytes:
    """The order as another client would lay it out."""
    copy = etree.fromstring(etree.tostring(root))
    etree.indent(copy, space=space)
    return etree.tostring(copy)
