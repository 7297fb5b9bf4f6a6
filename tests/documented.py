"""The payloads of the orders documentation, each in an order of its own.

Source: orders-api.md, "Putting it all together": the segments as they stand there, and the common
elements of its first table around them.
"""

from collections.abc import Mapping

_SEGMENTS: Mapping[str, str] = {
    "existing telephone numbers": """
<ExistingTelephoneNumberOrderType>
    <TelephoneNumberList>
        <TelephoneNumber>9193752369</TelephoneNumber>
        <TelephoneNumber>9193752720</TelephoneNumber>
        <TelephoneNumber>9193752648</TelephoneNumber>
    </TelephoneNumberList>
    <ReservationIdList>
        <ReservationId>[GUID]</ReservationId>
        <ReservationId>[GUID]</ReservationId>
    </ReservationIdList>
</ExistingTelephoneNumberOrderType>""",
    "area code": """
<AreaCodeSearchAndOrderType>
    <AreaCode>617</AreaCode>
    <Quantity>1</Quantity>
</AreaCodeSearchAndOrderType>""",
    "rate center": """
<RateCenterSearchAndOrderType>
    <RateCenter>RALEIGH</RateCenter>
    <State>NC</State>
    <Quantity>1</Quantity>
</RateCenterSearchAndOrderType>""",
    "NPA-NXX": """
<NPANXXSearchAndOrderType>
    <NpaNxx>919439</NpaNxx>
    <EnableTNDetail>true</EnableTNDetail>
    <EnableLCA>false</EnableLCA>
    <Quantity>1</Quantity>
</NPANXXSearchAndOrderType>""",
    "NPA-NXX-X, by the similar approach": """
<NPANXXXSearchAndOrderType>
    <NpaNxxX>9194391</NpaNxxX>
    <EnableTNDetail>true</EnableTNDetail>
    <EnableLCA>false</EnableLCA>
    <Quantity>1</Quantity>
</NPANXXXSearchAndOrderType>""",
    "toll-free vanity": """
<TollFreeVanitySearchAndOrderType>
   <Quantity>1</Quantity>
   <TollFreeVanity>newcars</TollFreeVanity>
</TollFreeVanitySearchAndOrderType>""",
    "toll-free wild card": """
<TollFreeWildCharSearchAndOrderType>
    <Quantity>1</Quantity>
    <TollFreeWildCardPattern>8**</TollFreeWildCardPattern>
</TollFreeWildCharSearchAndOrderType>""",
    "state": """
<StateSearchAndOrderType>
    <Quantity>1</Quantity>
    <State>NC</State>
</StateSearchAndOrderType>""",
    "city": """
<CitySearchAndOrderType>
    <Quantity>1</Quantity>
    <City>RALEIGH</City>
    <State>NC</State>
</CitySearchAndOrderType>""",
    "ZIP": """
<ZIPSearchAndOrderType>
    <Quantity>1</Quantity>
    <Zip>27606</Zip>
</ZIPSearchAndOrderType>""",
    "LATA": """
<LATASearchAndOrderType>
    <Quantity>1</Quantity>
    <Lata>224</Lata>
</LATASearchAndOrderType>""",
    "combined": """
<CombinedSearchAndOrderType>
    <Quantity>1</Quantity>
    <AreaCode>617</AreaCode>
    <RateCenter>RALEIGH</RateCenter>
    <State>NC</State>
    <NpaNxx>919439</NpaNxx>
    <NpaNxxX>9194391</NpaNxxX>
    <Lata>224</Lata>
    <City>RALEIGH</City>
    <Zip>27606</Zip>
    <EnableLCA>false</EnableLCA>
</CombinedSearchAndOrderType>""",
    "combined with a local vanity": """
<CombinedSearchAndOrderType>
    <Quantity>1</Quantity>
    <AreaCode>617</AreaCode>
    <LocalVanity>newcars</LocalVanity>
    <EndsIn>false</EndsIn>
</CombinedSearchAndOrderType>
""",
    "attributes": """
<AreaCodeSearchAndOrderType>
    <AreaCode>617</AreaCode>
    <Quantity>1</Quantity>
</AreaCodeSearchAndOrderType>
 <TnAttributes>
    <TnAttribute>Protected</TnAttribute>
    </TnAttributes>""",
}

_ECHOED = b"""<Order>
        <CustomerOrderId>
            123456789
        </CustomerOrderId>
        <Name>
            Zip Order
        </Name>
        <BackOrderRequested>
            false
        </BackOrderRequested>
        <ZIPSearchAndOrderType>
            <Quantity>
                1
            </Quantity>
            <Zip>
                27606
            </Zip>
        </ZIPSearchAndOrderType>
        <TnAttributes>
            <TnAttribute>
                Protected
            </TnAttribute>
        </TnAttributes>
        <PartialAllowed>
            true
        </PartialAllowed>
        <SiteId>
            3013
        </SiteId>
    </Order>
"""


def ordered(segment: str) -> bytes:
    """An order with this segment and all the common elements."""
    return (
        "<Order>\n<Name>Documented</Name>\n<CustomerOrderId>123456789</CustomerOrderId>\n"
        f"<SiteId>743</SiteId>\n<PeerId>1</PeerId>{segment}\n"
        "<PartialAllowed>true</PartialAllowed>\n"
        "<BackOrderRequested>false</BackOrderRequested>\n</Order>\n"
    ).encode()


_IDS = ("34adcd9f-2c4a-4631-9dae-d1f318ed57bc", "a7af704e-2ec2-4c4a-9dc1-93c8e9f4ba81")

PLACEHOLDERS = ordered(_SEGMENTS["existing telephone numbers"])
"""The documentation's own example holds `[GUID]` where a UUID belongs."""

SELF_CONTRADICTING = ordered(_SEGMENTS["combined"])
"""The documentation's own example breaks the limitation that stands beside it."""

VALID: Mapping[str, bytes] = {
    **{name: ordered(segment) for name, segment in _SEGMENTS.items() if name != "combined"},
    "existing telephone numbers": PLACEHOLDERS.replace(b"[GUID]", _IDS[0].encode(), 1).replace(
        b"[GUID]", _IDS[1].encode(), 1
    ),
    **{
        f"combined without its {but[0]} and {but[1]}": ordered(
            "\n".join(
                line
                for line in _SEGMENTS["combined"].splitlines()
                if not any(f"<{name}>" in line for name in but)
            )
        )
        for but in (("AreaCode", "NpaNxx"), ("AreaCode", "NpaNxxX"), ("NpaNxx", "NpaNxxX"))
    },
    "the echo of an answer": _ECHOED,
}
"""Every payload but the two that the documentation itself rules out, and their valid twins."""
