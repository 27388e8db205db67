# SPDX-License-Identifier: MIT
"""The known answers of tests/vectors/access, on either interpreter.

On MicroPython: `access_vectors.py PATH` prints one line per check and "checks N".
"""

import json
import sys
from binascii import unhexlify

from sealwire import access, frames, protocol
from sealwire.sync import link_of


def check_labels(known: dict) -> None:
    names = "ticket,delegate,visit,mask,door,advert,session,tag proof,visitor proof,mac visitor"
    names += ",mac tag,enc visitor,enc tag,nonce,coi"
    for index, name in enumerate(names.split(",")):
        assert access.label(name) == unhexlify(known["labels"][index]), name


def check_ticket_key(known: dict) -> None:
    ticket = known["ticket"]
    key = access.ticket_key(unhexlify(ticket["ak"]), unhexlify(ticket["bytes"]))
    assert key == unhexlify(ticket["key"])


def check_ticket_fields(known: dict) -> None:
    fields = known["ticket"]["fields"]
    packed = access.pack_ticket(
        access.Ticket(
            fields["role"],
            fields["scope"],
            int(known["ticket"]["bytes"][8:16], 16),
            unhexlify(fields["holder"]),
            fields["nbf"],
            fields["exp"],
            fields["trip"],
            fields["rev"],
            fields["floor"],
            tuple(fields["revoked"]),
        )
    )
    assert packed == unhexlify(known["ticket"]["bytes"])


def check_a_ticket_that_may_delegate_is_refused(known: dict) -> None:
    try:
        access.parse_ticket(unhexlify(known["ticket"]["bytes"]))
    except access.FormError:
        return
    raise AssertionError("scope bits 10 and 11 were taken")


def check_ticket_with_revocations(known: dict) -> None:
    content = unhexlify(known["ticket_with_revocations"]["bytes"])
    ticket = access.parse_ticket(content)
    assert ticket.role == protocol.QA and ticket.trip == 0x1267
    assert (ticket.rev, ticket.floor, ticket.revoked) == (3, 5, (6, 8))
    assert access.pack_ticket(ticket) == content


def check_visit_key_and_adverts(known: dict) -> None:
    visit = known["visit"]
    key = access.visit_key(unhexlify(known["ticket"]["ak"]), visit["floor"])
    assert key == unhexlify(visit["key"])
    for advert in visit["adverts"]:
        identifier = access.advert_id(access.Hmac(key), advert["i"])
        assert identifier == unhexlify(advert["id"])
        assert access.advert_name(identifier) == advert["name"]


def check_hello(known: dict) -> None:
    visit = access.Hmac(unhexlify(known["visit"]["key"]))
    hello = unhexlify(known["handshake"]["hello"])
    ticket = unhexlify(known["ticket"]["bytes"])
    assert len(hello) == protocol.HELLO_SIZE
    assert access.pack_hello(visit, unhexlify(known["handshake"]["nv"]), ticket) == hello
    assert access.is_our_door(visit, hello)
    assert access.open_hello(visit, hello).ticket == ticket
    assert not access.is_our_door(visit, hello[:-1] + bytes((hello[-1] ^ 1,)))


def check_handshake_keys(known: dict) -> None:
    hand = known["handshake"]
    challenge = unhexlify(hand["challenge"])
    hello = unhexlify(hand["hello"])
    keys = access.open_challenge(unhexlify(known["ticket"]["key"]), hello, challenge)
    assert keys.transcript_hash == unhexlify(hand["th"])
    assert keys.root == unhexlify(hand["hk"])
    assert keys.tag_proof == unhexlify(hand["tproof"])
    assert keys.mac_visitor == unhexlify(hand["mv"]) and keys.mac_tag == unhexlify(hand["mt"])
    assert keys.enc_visitor == unhexlify(hand["ev"]) and keys.enc_tag == unhexlify(hand["et"])
    assert access.pack_proof(keys) == unhexlify(hand["proof"])
    assert access.pack_challenge(challenge[2:18], keys) == challenge
    assert access.is_good_proof(keys, unhexlify(hand["proof"]))


def check_ready(known: dict) -> None:
    hand = known["handshake"]
    sealer = frames.Sealer(unhexlify(hand["mt"]), unhexlify(hand["et"]))
    number, body = sealer.open(protocol.REPLY, unhexlify(hand["ready"]))
    ready = access.parse_ready(body)
    assert number == 0 and ready.code == protocol.OK
    assert access.pack_ready(ready) == body


def check_command_and_reply(known: dict) -> None:
    hand = known["handshake"]
    for name, kind, mac, enc in (
        ("command", protocol.COMMAND, "mv", "ev"),
        ("reply", protocol.REPLY, "mt", "et"),
    ):
        sealer = frames.Sealer(unhexlify(hand[mac]), unhexlify(hand[enc]))
        frame = unhexlify(known[name]["frame"])
        body = unhexlify(known[name]["body"])
        assert sealer.seal(kind, known[name]["n"], body) == frame
        assert sealer.open(kind, frame) == (known[name]["n"], body)


def check_bulk(known: dict) -> None:
    hand = known["handshake"]
    sealer = frames.Sealer(unhexlify(hand["mt"]), unhexlify(hand["et"]))
    frame = unhexlify(known["bulk"]["frame"])
    plain = unhexlify(known["bulk"]["plain"])
    assert sealer.seal_bulk(known["bulk"]["fc"], plain) == frame
    assert sealer.open_bulk(frame) == (known["bulk"]["fc"], plain)


def check_refuse(known: dict) -> None:
    first = known["refuse"][0]
    assert frames.pack_refuse(first["code"]) == unhexlify(first["frame"])


def check_coi_commitment(known: dict) -> None:
    coi = known["coi"]
    commitment = access.coi_commitment(unhexlify(coi["salt"]), coi["coi"].encode())
    assert commitment == unhexlify(coi["commitment"])


def check_record_links(known: dict) -> None:
    previous = access.sha256(unhexlify(known["tag_certificate"]))
    for expected_seq, text in enumerate(known["records"]):
        record = unhexlify(text)
        assert link_of(record) == (expected_seq, previous)
        previous = access.sha256(record)


CHECKS = (
    check_labels,
    check_ticket_key,
    check_ticket_fields,
    check_a_ticket_that_may_delegate_is_refused,
    check_ticket_with_revocations,
    check_visit_key_and_adverts,
    check_hello,
    check_handshake_keys,
    check_ready,
    check_command_and_reply,
    check_bulk,
    check_refuse,
    check_coi_commitment,
    check_record_links,
)


def main(path: str) -> None:
    with open(path) as file:
        known = json.load(file)
    for check in CHECKS:
        check(known)
        print("ok", check.__name__)
    print("checks", len(CHECKS))


if __name__ == "__main__":
    main(sys.argv[1])
