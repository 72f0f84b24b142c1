"""The traffic of the bundled capture: real sockets in two network namespaces, driven by one process.

Usage: record-traffic.py NAMESPACE_A NAMESPACE_B; scripts/record-capture.ts prepares them. A socket belongs to the
namespace it was made in, so one process can be both ends and the order of the conversations is the same each time.
Addresses (documentation prefixes), interface by interface:
  plain   192.0.2.1/2      2001:db8::1/2     recorded
  tagged  198.51.100.1/2   2001:db8:1::1/2   recorded; every frame leaves with a VLAN tag
  vxlan4  203.0.113.1/2    2001:db8:2::1/2   over plain IPv4, outer checksums on
  vxlan6  203.0.113.129/130 2001:db8:5::1/2  over plain IPv6
  2001:db8:3::2, 2001:db8:4::2               behind segment routing headers, inserted and encapsulating
"""

import ctypes
import os
import platform
import random
import select
import socket
import struct
import subprocess
import sys
import time

NS = {"a": sys.argv[1], "b": sys.argv[2]}
libc = ctypes.CDLL(None, use_errno=True)
rng = random.Random(20240607)
V4, V6 = socket.AF_INET, socket.AF_INET6
PLAIN = {V4: ("192.0.2.1", "192.0.2.2"), V6: ("2001:db8::1", "2001:db8::2")}
TAGGED = {V4: ("198.51.100.1", "198.51.100.2"), V6: ("2001:db8:1::1", "2001:db8:1::2")}
VXLAN4 = {V4: ("203.0.113.1", "203.0.113.2"), V6: ("2001:db8:2::1", "2001:db8:2::2")}
VXLAN6 = {V4: ("203.0.113.129", "203.0.113.130"), V6: ("2001:db8:5::1", "2001:db8:5::2")}

IPV6_HOPOPTS, IPV6_DSTOPTS, IPV6_RTHDR = 54, 59, 57
UDP_SEGMENT, UDP_NO_CHECK6_TX, SO_NO_CHECK = 103, 101, 11
IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV, UDPLITE_RECV_CSCOV = 136, 10, 11
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_DONT = 10, 23, 0

WORDS = b"an offload is safe exactly when the device runs the same program as the kernel; ".split(b" ")


def check(ok):
    if not ok:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def enter(side):
    fd = os.open(f"/run/netns/{NS[side]}", os.O_RDONLY)
    try:
        check(libc.setns(fd, 0x4000_0000) == 0)
    finally:
        os.close(fd)


def sock(side, family, kind, proto=0):
    enter(side)
    return socket.socket(family, kind, proto)


def payload(n):
    """Text, noise, zeros or ones, so that sums are small and large."""
    which = rng.randrange(8)
    if which == 0:
        return bytes(n)
    if which == 1:
        return b"\xff" * n
    if which < 5:
        return (b" ".join(rng.choice(WORDS) for _ in range(n // 3 + 1)))[:n].ljust(n, b".")
    return rng.randbytes(n)


def sizes(n, most):
    """Mostly short, odd as often as even."""
    return [rng.choice((rng.randint(1, 60), rng.randint(1, 300), rng.randint(1, most))) for _ in range(n)]


# --- TCP ---------------------------------------------------------------------------------------------------------


def tcp_pair(family, addresses, options=()):
    a, b = addresses[family]
    server = sock("b", family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for level, name, value in options:
        if name not in (IPV6_RTHDR,):
            server.setsockopt(level, name, value)
    server.bind((b, 0))
    server.listen(1)
    client = sock("a", family, socket.SOCK_STREAM)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for level, name, value in options:
        client.setsockopt(level, name, value)
    client.bind((a, 0))
    client.connect(server.getsockname()[:2])
    peer, _ = server.accept()
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server.close()
    return client, peer


def receive(s, n):
    parts = []
    while n > 0:
        part = s.recv(n)
        if not part:
            raise ConnectionError("closed early")
        parts.append(part)
        n -= len(part)
    return b"".join(parts)


def pump(source, target, data):
    """Send everything one way, reading the other end meanwhile."""
    source.setblocking(False)
    sent, got = 0, []
    while sent < len(data) or sum(map(len, got)) < len(data):
        readable, writable, _ = select.select([target], [source] if sent < len(data) else [], [], 10)
        if writable:
            sent += source.send(data[sent : sent + 65536])
        if readable:
            got.append(target.recv(1 << 17))
    source.setblocking(True)
    if b"".join(got) != data:
        raise ValueError("received other bytes than were sent")


def tcp_talk(family, addresses, rounds, most=1000, bulk=0, options=()):
    client, peer = tcp_pair(family, addresses, options)
    for n in sizes(rounds, most):
        request, answer = payload(n), payload(rng.randint(1, 120))
        client.sendall(request)
        if receive(peer, n) != request:
            raise ValueError("received other bytes than were sent")
        peer.sendall(answer)
        receive(client, len(answer))
    if bulk:
        pump(client, peer, payload(bulk))
        pump(peer, client, payload(bulk // 2 + 1))
    client.close()
    peer.close()


# --- UDP ---------------------------------------------------------------------------------------------------------


def udp_pair(family, addresses, kind=socket.SOCK_DGRAM, proto=0):
    a, b = addresses[family]
    there, here = sock("b", family, kind, proto), sock("a", family, kind, proto)
    there.bind((b, 0))
    here.bind((a, 0))
    here.connect(there.getsockname()[:2])
    there.connect(here.getsockname()[:2])
    for s in (here, there):
        s.settimeout(5)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    return here, there


def udp_talk(family, addresses, rounds, most=1400, options=(), lengths=None, proto=0):
    here, there = udp_pair(family, addresses, socket.SOCK_DGRAM, proto)
    for level, name, value in options:
        here.setsockopt(level, name, value)
    for n in lengths or sizes(rounds, most):
        data = payload(n)
        here.send(data)
        if there.recv(1 << 17) != data:
            raise ValueError("received other bytes than were sent")
        there.send(data[: rng.randint(0, n)])
        here.recv(1 << 17)
    here.close()
    there.close()


def udp_segmented(family, addresses, count):
    here, there = udp_pair(family, addresses)
    for _ in range(count):
        size = rng.randint(200, 1200)
        data = payload(size * rng.randint(3, 12) + rng.randint(1, size))
        here.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
        here.send(data)
        got = b""
        while len(got) < len(data):
            got += there.recv(1 << 17)
        if got != data:
            raise ValueError("received other bytes than were sent")
    here.close()
    there.close()


# --- ICMP --------------------------------------------------------------------------------------------------------


def checksum(data):
    if len(data) & 1:
        data += b"\0"
    s = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while s > 0xFFFF:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


def echo(family, address, lengths, options=()):
    v4 = family == V4
    s = sock("a", family, socket.SOCK_RAW, socket.IPPROTO_ICMP if v4 else socket.IPPROTO_ICMPV6)
    s.settimeout(5)
    for level, name, value in options:
        s.setsockopt(level, name, value)
    for seq, n in enumerate(lengths):
        body = payload(n)
        kind, answer = (8, 0) if v4 else (128, 129)
        head = struct.pack("!BBHHH", kind, 0, 0, 4711, seq)
        head = struct.pack("!BBHHH", kind, 0, checksum(head + body) if v4 else 0, 4711, seq)
        s.sendto(head + body, (address, 0))
        while True:
            got = s.recv(1 << 17)
            got = got[(got[0] & 15) * 4 :] if v4 else got
            if got[0] == answer and got[6:8] == struct.pack("!H", seq):
                break
        if got[8:] != body:
            raise ValueError("another echo than was sent")
    s.close()


def unreachable(family, addresses, count):
    """Datagrams to closed ports: ICMP errors that quote them."""
    a, b = addresses[family]
    for i in range(count):
        s = sock("a", family, socket.SOCK_DGRAM)
        s.bind((a, 0))
        s.sendto(payload(rng.randint(1, 900)), (b, 9 + i))
        s.close()
        time.sleep(0.02)


# --- Headers the kernel has no device for here ---------------------------------------------------------------------


def ipv4_header(proto, length, source, target):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, rng.randrange(1 << 16), 0x4000, 64, proto, 0,
                       socket.inet_aton(source), socket.inet_aton(target))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:]


def udp_packet(n):
    """IPv4 and UDP with the right checksums, of a made-up inner network."""
    source, target = "10.9.0.1", "10.9.0.2"
    data = payload(n)
    head = struct.pack("!HHHH", 1024 + rng.randrange(60000), 7, 8 + n, 0)
    pseudo = socket.inet_aton(source) + socket.inet_aton(target) + struct.pack("!BBH", 0, 17, 8 + n)
    head = head[:6] + struct.pack("!H", checksum(pseudo + head + data) or 0xFFFF)
    return ipv4_header(17, 8 + n, source, target) + head + data


def gre(inner, key, summed):
    flags = (0x8000 if summed else 0) | (0x2000 if key is not None else 0)
    tail = (b"" if key is None else struct.pack("!I", key)) + inner
    if not summed:
        return struct.pack("!HH", flags, 0x0800) + tail
    head = struct.pack("!HHHH", flags, 0x0800, 0, 0)
    return head[:4] + struct.pack("!HH", checksum(head + tail), 0) + tail


def raw_tunnels(count):
    for family in (V4, V6):
        a, b = PLAIN[family]
        for proto in (4, 47):
            s = sock("a", family, socket.SOCK_RAW, proto)
            for i in range(count):
                inner = udp_packet(rng.randint(1, 700))
                if proto == 47:
                    inner = gre(inner, i if i % 3 else None, i % 4 != 0)
                s.sendto(inner, (b, 0))
                time.sleep(0.002)
            s.close()
    here, there = udp_pair(V4, PLAIN)
    for s in (here, there):
        s.close()
    here = sock("a", V4, socket.SOCK_DGRAM)
    sink = sock("b", V4, socket.SOCK_DGRAM)
    sink.bind((PLAIN[V4][1], 6081))
    for i in range(count):
        option = struct.pack("!HBBI", 0x0102, 0x80 >> (i & 1) & 0x7F, 1, i) if i & 1 else b""
        ethernet = bytes.fromhex("020000000902020000000901") + struct.pack("!H", 0x0800)
        head = struct.pack("!BBHI", len(option) // 4, 0, 0x6558, (100 + i) << 8)
        here.sendto(head + option + ethernet + udp_packet(rng.randint(1, 700)), (PLAIN[V4][1], 6081))
        sink.recv(1 << 16)
    here.close()
    sink.close()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def sctp(count):
    s = sock("a", V4, socket.SOCK_RAW, 132)
    s6 = sock("a", V6, socket.SOCK_RAW, 132)
    for i in range(count):
        data = payload(rng.randint(1, 400))
        chunk = struct.pack("!BBHIHHI", 0, 3, 16 + len(data), i, 1, i, 0) + data
        chunk += bytes(-len(chunk) % 4)
        head = struct.pack("!HHI", 5000, 5001, 0x01020304)
        crc = struct.pack("<I", crc32c(head + bytes(4) + chunk))
        (s if i & 1 else s6).sendto(head + crc + chunk, (PLAIN[V4 if i & 1 else V6][1], 0))
        time.sleep(0.002)
    s.close()
    s6.close()


# --- Multicast -----------------------------------------------------------------------------------------------------


def multicast():
    for side in "ab":
        address = PLAIN[V4][0 if side == "a" else 1]
        s4 = sock(side, V4, socket.SOCK_DGRAM)
        s6 = sock(side, V6, socket.SOCK_DGRAM)
        index = socket.if_nametoindex("plain")
        for last in (7, 8, 9):
            group = socket.inet_aton(f"239.1.2.{last}")
            s4.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group + socket.inet_aton(address))
            group = socket.inet_pton(V6, f"ff05::{last}")
            s6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group + struct.pack("@I", index))
            time.sleep(0.3)
        s4.close()
        s6.close()
    time.sleep(1)


# --- VLAN tags: two small BPF programs ------------------------------------------------------------------------------


def bpf(command, attr):
    number = {"x86_64": 321, "aarch64": 280}[platform.machine()]
    buffer = ctypes.create_string_buffer(attr.ljust(128, b"\0"), 128)
    fd = libc.syscall(number, command, buffer, 128)
    check(fd >= 0)
    return fd


def attach(insns, index, where):
    text = ctypes.create_string_buffer(b"".join(struct.pack("<BBhi", *insn) for insn in insns))
    licence = ctypes.create_string_buffer(b"GPL")
    fd = bpf(5, struct.pack("=IIQQ", 3, len(insns), ctypes.addressof(text), ctypes.addressof(licence)))
    return bpf(28, struct.pack("=IIII", fd, index, where, 0))


CALL, EXIT, NEXT = 0x85, (0x95, 0, 0, 0), (0xB7, 0, 0, -1)
TCX_INGRESS, TCX_EGRESS, VLAN_PUSH, VLAN_POP = 46, 47, 18, 19
tag_links = []


def tag(tci):
    """Every frame leaving `tagged` gets a tag on its way to the device, and loses it on arrival."""
    for fd in tag_links:
        os.close(fd)
    tag_links.clear()
    for side in "ab":
        enter(side)
        index = socket.if_nametoindex("tagged")
        push = [(0xB7, 2, 0, socket.htons(0x8100)), (0xB7, 3, 0, tci), (CALL, 0, 0, VLAN_PUSH), NEXT, EXIT]
        tag_links.append(attach(push, index, TCX_EGRESS))
        tag_links.append(attach([(CALL, 0, 0, VLAN_POP), NEXT, EXIT], index, TCX_INGRESS))


# --- The conversations --------------------------------------------------------------------------------------------


def features(**flags):
    """Checksum and segmentation offload, receive coalescing; both ends of both pairs."""
    for name in NS.values():
        for dev in ("plain", "tagged"):
            words = [w for k, v in flags.items() for w in (k, "on" if v else "off")]
            subprocess.run(["ip", "netns", "exec", name, "ethtool", "-K", dev, *words], check=True,
                           stdout=subprocess.DEVNULL)
    time.sleep(0.2)


def options6(kind, n):
    """An extension header of 8 * n bytes, one option for experiments (RFC 4727) that receivers skip."""
    body = rng.randbytes(8 * n - 4)
    return (socket.IPPROTO_IPV6, kind, struct.pack("BBBB", 0, n - 1, 0x1E, len(body)) + body)


def segment_routing(*segments):
    head = struct.pack("!BBBBBBH", 0, 2 * len(segments), 4, len(segments) - 1, len(segments) - 1, 0, 0)
    return (socket.IPPROTO_IPV6, IPV6_RTHDR, head + b"".join(socket.inet_pton(V6, s) for s in segments))


def extension_headers(rounds):
    hop, dst = [options6(IPV6_HOPOPTS, 1)], [options6(IPV6_DSTOPTS, 2)]
    both = [options6(IPV6_HOPOPTS, 2), options6(IPV6_DSTOPTS, 1)]
    for options in (hop, dst, both):
        udp_talk(V6, PLAIN, rounds, options=options)
        tcp_talk(V6, PLAIN, rounds, options=options)
        echo(V6, PLAIN[V6][1], sizes(3, 600), options)
    udp_talk(V6, PLAIN, rounds, options=[segment_routing("::", "2001:db8::2")])
    for last in (3, 4):
        tcp_talk(V6, {V6: ("2001:db8::1", f"2001:db8:{last}::2")}, rounds, bulk=6000)


def talk(rounds, bulk):
    for family in (V4, V6):
        tcp_talk(family, PLAIN, rounds, bulk=bulk)
        udp_talk(family, PLAIN, rounds // 3)
        tcp_talk(family, TAGGED, rounds // 8, bulk=bulk // 4)
        udp_talk(family, TAGGED, rounds // 16)
        udp_segmented(family, PLAIN, 4)
        echo(family, PLAIN[family][1], sizes(12, 1400))
        echo(family, TAGGED[family][1], sizes(4, 1400))


def main():
    tag(0x2005)
    # duplicate address detection, first router solicitations
    time.sleep(3)
    multicast()

    # devices that do everything: partial checksums, super-packets
    talk(230, 150_000)
    for family in (V4, V6):
        for network in (VXLAN4, VXLAN6):
            tcp_talk(family, network, 12, bulk=20_000)
            udp_talk(family, network, 6)
    extension_headers(8)

    # devices that do nothing: every checksum in the packet
    features(tx=False, tso=False, gso=False, gro=False)
    tag(0xE007)
    talk(330, 40_000)
    extension_headers(8)
    for family in (V4, V6):
        for network in (VXLAN4, VXLAN6):
            tcp_talk(family, network, 12, bulk=10_000)
            udp_talk(family, network, 6)
        level = socket.IPPROTO_IP if family == V4 else socket.IPPROTO_IPV6
        # the fragments of datagrams longer than the link takes
        name = IP_MTU_DISCOVER if family == V4 else IPV6_MTU_DISCOVER
        fragmented = [(level, name, PMTUDISC_DONT)]
        udp_talk(family, PLAIN, 0, options=fragmented, lengths=[2000, 4000, 5001, 9999, 1473, 1453])
        echo(family, PLAIN[family][1], [4000, 2001, 8192, 1500], fragmented)
        unreachable(family, PLAIN, 6)
        udp_talk(family, PLAIN, 10, proto=IPPROTO_UDPLITE)
        coverage = [(IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV, 20), (IPPROTO_UDPLITE, UDPLITE_RECV_CSCOV, 8)]
        udp_talk(family, PLAIN, 10, proto=IPPROTO_UDPLITE, options=coverage)
    udp_talk(V4, PLAIN, 10, options=[(socket.SOL_SOCKET, SO_NO_CHECK, 1)])
    # record route and time stamp, as a longer IPv4 header
    for option in (b"\x07\x0b\x04" + bytes(9), b"\x44\x0c\x05\x00" + bytes(8)):
        udp_talk(V4, PLAIN, 6, options=[(socket.IPPROTO_IP, socket.IP_OPTIONS, option)])
        echo(V4, PLAIN[V4][1], [56, 57], [(socket.IPPROTO_IP, socket.IP_OPTIONS, option)])
    raw_tunnels(16)
    sctp(24)

    # a receiver that coalesces what the wire brought
    features(gro=True)
    for family in (V4, V6):
        tcp_talk(family, PLAIN, 10, bulk=100_000)
    print("done")


main()
